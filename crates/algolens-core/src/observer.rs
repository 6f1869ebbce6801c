//! How long work tells of its progress and is told to stop.

use std::ops::ControlFlow;

/// Watches long work. Called on the thread that started the work.
pub trait Observer<Event> {
    /// Something happened. [`ControlFlow::Break`] ends the work with [`Error::Cancelled`](crate::Error::Cancelled).
    fn on(&mut self, event: Event) -> ControlFlow<()>;
}

impl<Event, F: FnMut(Event) -> ControlFlow<()>> Observer<Event> for F {
    fn on(&mut self, event: Event) -> ControlFlow<()> {
        self(event)
    }
}
