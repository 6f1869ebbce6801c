//! What is a task's own in interpretation, a module a task; and what their casebooks share.

mod balanced_brackets;
mod count_unique;
mod cumulative_sum;
mod findings;
mod first_unique;
mod group;
mod judged;
mod logit_table;
mod max_of_list;
mod mean;
mod modular_arithmetic;
pub mod palindrome;
mod patterns;
pub mod sorted_list;
mod sum;
mod without;
