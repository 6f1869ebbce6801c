//! Interpretability analyses of small transformers: evaluation, ablation, circuits, direct logit attribution, attention.
//!
//! An analysis takes a [`Subject`] and returns a serde type. Axes and names follow TransformerLens.

mod ablation;
mod attention_rows;
mod attribution;
mod circuits;
pub mod claims;
mod head;
mod head_costs;
mod nested;
mod prediction;
mod scores;
mod shapley;
mod share;
mod study;
mod subject;
pub mod tasks;

pub use ablation::{Ablated, Ablation, Method, Part, ablate};
pub use attention_rows::{AttentionRow, attention_rows};
pub use attribution::{Attribution, attribution, source_attribution};
pub use circuits::{Circuits, circuits, direct_path};
pub use claims::{Control, ControlFinding, Finding, Unit, Verdict};
pub use head::Head;
pub use head_costs::{HeadCosts, head_costs};
pub use nested::nested;
pub use prediction::{Prediction, greedy, predict, probabilities};
pub use scores::{EffectiveQk, KEY_TERMS, QUERY_TERMS, ScoreTerms, effective_qk, score_terms};
pub use study::{
    AblationTable, Arrays, Costs, Group, POST_ADVERSARIAL, ShownList, Stage, StudyOptions, StudyResults, check_other,
    study,
};
pub use subject::Subject;
