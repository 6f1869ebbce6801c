//! Complete verification of models that sort lists or say their largest value: attacks that find the lists a model gets
//! wrong, and proofs over *all* lists, by branch and bound.
//!
//! Every prediction of every list belongs to one [`Class`](algolens_check::certificate::Class); a [`Search`] proves
//! what share of each class is correct, and what share is wrong, for a
//! [`Certificate`](algolens_check::certificate::Certificate). The methods, each in a sentence:
//!
//! - *Branch and bound* (`search`, `tree`, `node`): a class is split on the options of its tokens until bounds decide
//!   each part.
//! - *Subset dynamic programming* (`oracle`), of lists to be sorted: over the sets of filled list positions, in the min-plus semiring it
//!   minimizes a sum of costs of attended rows exactly, and in the sum-product semiring it counts lists.
//! - *Minima over a product* (`oracle`), where the largest value is asked for: positions are independent, but that the
//!   largest stands somewhere.
//! - *Dinkelbach's method for ratios* (`dominance`): λ is a lower bound of a head's attention average N / D once the
//!   least N - λ D is positive.
//! - *Lagrangian relaxation* (`dominance`): within a cell of the heads' averages, multipliers μ ≥ 0 join the heads into
//!   one functional whose minimum decides.
//! - *Sequential linearization* (`descent`) finds lists with small margins.
//!
//! A list is sorted correctly, letter by letter or by greedy decoding alike, if and only if each of its predictions is
//! correct: up to its first wrong prediction the model reads the target tokens. So this is a proof about sorting.
//!
//! Everything here is about one-layer attention-only causal models of the tasks that a [`Space`] is of, in f64, from the
//! weights' circuits. `docs/certify.md` explains the method.

mod accuracy;
mod attack;
mod branching;
mod certify;
mod class;
mod class_rows;
mod confirm;
mod descent;
mod dominance;
mod families;
mod list;

mod logit_difference;
mod minimizer;
mod node;
mod oracle;
mod order;
mod parts;
mod restrictions;
mod rounding;
mod safe;
mod saved;
mod search;
mod sorter;
mod space;
mod state;
mod tables;
mod tree;
mod typical;
mod worst_case;

pub use accuracy::{Bounds, bounds as accuracy_bounds, share_of_lists, tally};
pub use attack::{Attack, AttackProgress, attack};
pub use certify::{Origin, certificate};
pub use class::{Classes, choose};
use class_rows::ClassRows;
pub use confirm::plain_answers;
pub use families::{Failures, Family, failures_by_family};
use list::List;
pub use list::MOST_VALUES;

pub use order::Order;
pub use restrictions::Restrictions;
pub use rounding::slack;
pub use safe::{SafeFrom, SafeInputs, SafeRange, safe_inputs};
pub use search::Search;
pub use sorter::Sorter;
pub use space::{Asks, Space};
pub use tables::Tables;
pub use tree::Decided;
