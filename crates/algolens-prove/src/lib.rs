//! What a sorting model does on *every* list: attacks that find lists it gets wrong, and proofs that there are none.
//!
//! Every prediction of every list belongs to one [`Class`]. Of a class, an oracle finds the exact minimum of any sum over
//! attended rows; margins are bounded with it, lists that fail are searched with it, and a [`Search`] decides class by
//! class, and then part by part, what share of all predictions is right: a [`Certificate`]. A list is sorted right, letter by letter or by greedy decoding alike, if and only if its ten predictions are
//! right: up to its first wrong prediction the model reads the right tokens. So this is a proof about sorting.
//!
//! Everything here is about one-layer attention-only causal models of the task [`SortedList`](algolens_core::task::SortedList),
//! in f64, from the weights' circuits. `docs/certify.md` explains the method.

mod accuracy;
mod attack;
mod bout;
mod certify;
mod class;
mod class_rows;
mod contest;
mod families;
mod local;
mod node;
mod oracle;
mod order;
mod prover;
mod safe;
mod saved;
mod search;
mod tables;
mod tree;

pub use accuracy::{Bounds, bounds as accuracy_bounds, share_of_lists, tally};
pub use attack::{Attack, AttackProgress, Restrictions, attack};
pub use certify::{Origin, certificate};
pub use class::{Classes, choose};
use class_rows::ClassRows;
pub use families::{Failures, Family, failures_by_family};
pub use local::Sorter;
pub use order::Order;
pub use safe::{SafeFrom, SafeInputs, SafeSteps, safe_inputs};
pub use search::Search;
pub use tables::Tables;
pub use tree::Decided;

/// The most values a list may have here: states are sets of its positions.
pub const MOST_VALUES: usize = 12;

/// A list of a class: the token at each of its positions; those from the list's length on are 0.
type List = [u16; MOST_VALUES];
