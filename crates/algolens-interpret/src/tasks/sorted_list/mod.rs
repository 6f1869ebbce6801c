//! Sorting: who attends to the next larger value, families of lists, close triples, and the post's claims.

mod attention;
mod casebook;
mod examples;
mod families;
mod findings;
mod measures;
mod sections;
mod sites;
mod triples;

pub use attention::{AttentionStatistics, HeadShares, attention_statistics};
pub use examples::POST_ADVERSARIAL;
pub use families::{GapPoint, SmallestPoint, gap_points, gap_sites, smallest_points, smallest_sites};
pub use findings::{Evidence, EvidenceOptions, Repair, Run, Runs, ToZero, claims, gather};
pub use measures::Measures;
pub use sites::{PredictionSite, prediction_sites};
pub use triples::{
    CLOSE, CloseTriples, POST_TRIPLES, Triple, TripleAttribution, TripleList, TripleStatistics, close_triples,
    triple_attribution,
};
