//! What is a task's own in interpretation, a module a task.

pub mod sorted_list;
