//! A task from outside the library.

mod reversed_list;

pub use reversed_list::ReversedList;

use algolens::task::Registry;

/// Our tasks and this one.
pub fn registry() -> Registry {
    Registry::default().with::<ReversedList>()
}
