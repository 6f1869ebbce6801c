//! Sorting: who attends to the next larger value, families of lists, close triples, and the post's claims.

mod attention;
mod copy_heads;
mod families;
mod findings;
mod sites;
mod triples;

pub use attention::{AttentionStatistics, HeadShares, attention_statistics};
pub use copy_heads::{CopyHeadRange, CopyHeads, copy_heads};
pub use families::{GapPoint, SmallestPoint, gap_points, gap_sites, smallest_points, smallest_sites};
pub use findings::{Evidence, EvidenceOptions, Gathered, Repair, Run, Runs, ToZero, claims, findings};
pub use sites::{PredictionSite, prediction_sites};
pub use triples::{
    CLOSE, CloseTriples, POST_TRIPLES, Triple, TripleAttribution, TripleList, TripleStatistics, close_triples,
    triple_attribution,
};
