//! The arguments of `algolens attack`.

use crate::{backend_flags::BackendFlags, load::ModelArgs};
use algolens::{
    Error, Result,
    interpret::attack::Restrictions,
    task::{Task, Token},
};
use std::str::FromStr;

/// Find the inputs that a model answers worst
///
/// Of one-layer attention-only models that sort lists it proves that no list is worse, or by how little one might be. Of every
/// other model it draws inputs, of the task's families first, and goes on from the worst from input to input; where a task has
/// no more inputs than may be run, all are. Every answer that is shown was confirmed by the plain backend.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algolens attack models/sorted_list.safetensors\n  \
                        algolens attack models/sorted_list.safetensors --position 3 --min-gap 12 --count 3\n  \
                        algolens attack models/sorted_list.safetensors --values 30..50\n  \
                        algolens attack models/sorted_list.safetensors --near 4,8,15,16,23,42,1,2,3,50\n  \
                        algolens attack models/sorted_list.safetensors --families\n  \
                        algolens attack palindrome.pt --family broken_pair=4\n  \
                        algolens attack sum.pt --near 2968+1606")]
pub struct Args {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Only answers at this position; of a sorted list only this prediction, where 0 is the one at SEP
    #[arg(long, value_name = "I")]
    pub position: Option<usize>,
    /// Only inputs of this member of a family, such as broken_pair=4 (--families lists them); may be said again
    #[arg(long, value_name = "FAMILY=MEMBER")]
    pub family: Vec<OfFamily>,
    /// How many inputs to show, each of another kind: another class of predictions of sorted lists, or else other members of
    /// families, or another position
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub count: usize,
    /// How much to search: inputs that are run [default: 500000], or passes of the oracle where the worst list is proved
    /// [default: 20000000]
    #[arg(long, value_name = "N")]
    pub work: Option<u64>,
    /// Seed of what is drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u32,
    /// Instead: the fewest changes (at most 2: places exchanged, tokens replaced) that turn this input, answered right, into one
    /// that is answered wrong
    #[arg(long, value_name = "INPUT", conflicts_with_all = ["families", "family", "values", "order", "token", "target", "min_gap", "max_gap"])]
    pub near: Option<String>,
    /// Instead: the worst case and the share of wrong answers of every member of the task's families; of sorted lists by gap,
    /// position and the order of the unsorted list
    #[arg(long, conflicts_with_all = ["family", "values", "order", "position", "token", "target", "min_gap", "max_gap"])]
    pub families: bool,
    #[command(flatten)]
    pub lists: ListFlags,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub backend: BackendFlags,
}

/// A member of a family, by their names.
#[derive(Clone, Debug)]
pub struct OfFamily([String; 2]);

impl FromStr for OfFamily {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (family, member) = text.split_once('=').ok_or_else(|| {
            Error::invalid("family", "one and its member, such as broken_pair=4", format!("{text:?}"))
        })?;
        Ok(Self([family, member].map(|name| name.trim().to_owned())))
    }
}

impl Args {
    /// Which answers an attack looks at.
    pub fn restrictions(&self, position: Option<usize>) -> Restrictions {
        Restrictions { position, members: self.family.iter().map(|OfFamily(names)| names.clone()).collect() }
    }
}

/// The flags that only models which sort lists have.
#[derive(clap::Args)]
#[command(next_help_heading = "Of sorted lists")]
pub struct ListFlags {
    /// Only predictions made at this value
    #[arg(long, value_name = "D")]
    pub token: Option<Token>,
    /// Only predictions whose right answer is this
    #[arg(long, value_name = "Y")]
    pub target: Option<Token>,
    /// Only predictions with at least this step from the value that predicts to the right answer
    #[arg(long, value_name = "G")]
    pub min_gap: Option<Token>,
    /// Only predictions with at most this step
    #[arg(long, value_name = "G")]
    pub max_gap: Option<Token>,
    /// Only lists of these values, such as 30..50 or 1,3,10..20
    #[arg(long, value_name = "VALUES")]
    pub values: Option<String>,
    /// Only unsorted lists that stand in this order
    #[arg(long, value_name = "ORDER", value_parser = ["ascending", "descending"])]
    pub order: Option<String>,
}

impl ListFlags {
    /// Refuses the flags, for another task.
    pub fn refuse(&self, task: &dyn Task) -> Result<()> {
        let Self { token, target, min_gap, max_gap, values, order } = self;
        let said = [
            ("--token", token.is_some()),
            ("--target", target.is_some()),
            ("--min-gap", min_gap.is_some()),
            ("--max-gap", max_gap.is_some()),
            ("--values", values.is_some()),
            ("--order", order.is_some()),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::invalid(flag, "a model of the task sorted_list", task.spec().name)),
        }
    }
}
