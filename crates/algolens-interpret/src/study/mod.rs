//! Studies: every analysis of the post, for one model.

mod ablations;
mod arrays;
mod lists;
mod results;
mod run;

pub use ablations::{AblationTable, Costs};
pub use arrays::Arrays;
pub use lists::{Group, POST_ADVERSARIAL, ShownList};
pub use results::StudyResults;
pub use run::{Stage, StudyOptions, check_other, study};
