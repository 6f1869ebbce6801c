//! Interpretability analyses of small transformers: evaluation, ablation, circuits, direct logit attribution, attention.
//!
//! An analysis takes a [`Subject`] and returns a serde type. Axes and names follow TransformerLens.

mod ablation;
mod attention;
mod attention_rows;
mod attribution;
mod circuits;
mod copy_heads;
mod families;
mod findings;
mod head;
mod nested;
mod prediction;
mod scores;
mod share;
mod sites;
mod study;
mod subject;
mod triples;

pub use ablation::{Ablated, Ablation, Method, Part, ablate};
pub use attention::{AttentionStatistics, HeadShares, attention_statistics};
pub use attention_rows::{AttentionRow, attention_rows};
pub use attribution::{Attribution, attribution, source_attribution};
pub use circuits::{Circuits, circuits, direct_path};
pub use copy_heads::{CopyHeadRange, CopyHeads, copy_heads};
pub use families::{GapPoint, SmallestPoint, gap_points, gap_sites, smallest_points};
pub use findings::{Evidence, EvidenceOptions, Finding, ToZero, Unit, Verdict, WithoutDirectPath, findings};
pub use head::Head;
pub use nested::nested;
pub use prediction::{Prediction, greedy, predict, probabilities};
pub use scores::{EffectiveQk, KEY_TERMS, QUERY_TERMS, ScoreTerms, effective_qk, score_terms};
pub use sites::{PredictionSite, prediction_sites};
pub use study::{
    AblationTable, Arrays, Costs, Group, POST_ADVERSARIAL, ShownList, Stage, StudyOptions, StudyResults, study,
};
pub use subject::Subject;
pub use triples::{
    CLOSE, CloseTriples, POST_TRIPLES, Triple, TripleAttribution, TripleStatistics, close_triples, triple_attribution,
};
