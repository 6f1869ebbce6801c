//! Interpretability analyses of small transformers: evaluation, ablation, circuits, direct logit attribution, attention.
//!
//! An analysis takes a [`Subject`] and returns a serde type. Axes and names follow TransformerLens.

mod ablation;
pub mod attack;
mod attention;
mod attention_rows;
mod attribution;
mod casebook;
mod circuits;
pub mod claims;
mod copy_heads;
pub mod enumerate;
mod families;
mod head;
mod head_costs;
mod intervene;
mod nested;
mod prediction;
mod runner;
mod scores;
mod shapley;
mod share;
mod shown;
mod site;
mod study;
mod subject;
mod support;
pub mod tasks;

pub use ablation::{Ablated, Ablation, Method, Part, ablate};
pub use attention::{HeadAttention, head_attention};
pub use attention_rows::{AttentionRow, attention_rows};
pub use attribution::{Attribution, attribution, source_attribution};
pub use casebook::{Case, Casebook, Casebooks};
pub use circuits::{Circuits, circuits, direct_path, full_qk};
pub use claims::{Control, ControlFinding, Finding, Unit, Verdict};
pub use copy_heads::{CopyHeadRange, CopyHeads, copy_heads};
pub use families::{FamilyScores, MemberScore, family_scores};
pub use head::Head;
pub use head_costs::{HeadCosts, head_costs};
pub use intervene::{Intervention, Replacement};
pub use nested::nested;
pub use prediction::{Answer, Prediction, greedy, predict, probabilities};
pub use runner::{Chunk, Runner};
pub use scores::{EffectiveQk, KEY_TERMS, QUERY_TERMS, ScoreTerms, effective_qk, score_terms};
pub use shown::Shown;
pub use site::Site;
pub use study::{
    AblationTable, Arrays, Axis, AxisLabels, Cell, Costs, Figure, Group, Item, Known, Labels, Material, Note, Plot,
    RANDOM, SampledWorst, Section, ShownAt, ShownExample, Stage, Study, StudyOptions, Table, Training, WORST, YOURS,
    check_other, check_sections, known, study,
};
pub use subject::Subject;
