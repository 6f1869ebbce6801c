//! Lists worth looking at.

use super::POST_TRIPLES;
use crate::Group;
use algolens_core::task::{SortedList, Token};

/// The post's two adversarial lists.
pub const POST_ADVERSARIAL: [[Token; 10]; 2] =
    [[0, 40, 41, 42, 43, 44, 45, 46, 47, 48], [5, 30, 32, 34, 36, 38, 40, 42, 44, 46]];

/// The id of the group of the post's adversarial lists.
pub(super) const ADVERSARIAL: &str = "post_adversarial";

/// The post's lists, where the task is the post's.
pub(super) fn examples(task: &SortedList) -> Vec<(Group, Vec<Vec<Token>>)> {
    if *task != SortedList::POST {
        return Vec::new();
    }
    let adversarial = POST_ADVERSARIAL.map(Vec::from).to_vec();
    let triples = POST_TRIPLES.map(|(list, _)| list.to_vec()).to_vec();
    vec![
        (Group::new(ADVERSARIAL, "The post's adversarial lists"), adversarial),
        (Group::new("post_triples", "The post's triples"), triples),
    ]
}
