//! What is a task's own in interpretation, a module a task; and what their casebooks share.

mod findings;
pub mod palindrome;
mod patterns;
pub mod sorted_list;
