//! Serialization of a search's state: postcard, deflated (zlib), with a format number and the model's digest.

use super::{
    Asks, Classes, Tables,
    class_rows::largest,
    node::Node,
    state::{Open, State},
    tree::{End, Tree},
};
use algolens_check::certificate::Class;
use algolens_core::{Error, Result};
use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

/// The version this library writes and reads.
const FORMAT: u32 = 3;
/// Bytes that an inflated state may have at most.
const LARGEST: u64 = 8 << 30;

/// A state with what it belongs to.
#[derive(Serialize, Deserialize)]
struct Saved<S> {
    format: u32,
    /// SHA-256 of the model.
    digest: String,
    state: S,
}

/// The bytes of a state.
///
/// # Errors
/// Never for states that fit in memory.
pub(super) fn write(state: &State, digest: String) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::invalid("search", "a state that can be written", error);
    let bytes = postcard::to_stdvec(&Saved { format: FORMAT, digest, state }).map_err(|error| failed(&error))?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&bytes).and_then(|()| zlib.finish()).map_err(|error| failed(&error))
}

/// The state that bytes hold, of the model with this digest.
///
/// # Errors
/// Bytes that [`write()`] did not write, another format or model, indices out of range.
pub(super) fn read(bytes: &[u8], tables: &Tables, classes: &Classes, digest: &str) -> Result<State> {
    let unreadable = |found: &dyn std::fmt::Display| Error::invalid("saved search", "what a search wrote", found);
    let mut plain = Vec::new();
    ZlibDecoder::new(bytes).take(LARGEST).read_to_end(&mut plain).map_err(|error| unreadable(&error))?;
    let saved: Saved<State> = postcard::from_bytes(&plain).map_err(|error| unreadable(&error))?;
    if saved.format != FORMAT {
        return Err(Error::invalid("saved search's format", FORMAT.to_string(), saved.format));
    }
    if saved.digest != digest {
        return Err(Error::invalid("saved search's model", format!("the one with SHA-256 {digest}"), saved.digest));
    }
    if is_sound(&saved.state, tables, classes) { Ok(saved.state) } else { Err(unreadable(&"other numbers")) }
}

/// True if all numbers that are used as indices are in range.
fn is_sound(state: &State, tables: &Tables, classes: &Classes) -> bool {
    let is_tree_sound = |tree: &Tree| {
        let children_follow = |(number, end): (usize, &End)| match end {
            End::Split(_, children) => {
                children.iter().all(|child| (number + 1..tree.nodes.len()).contains(&(*child as usize)))
            }
            _ => true,
        };
        !tree.nodes.is_empty() && tree.nodes.iter().map(|branch| &branch.end).enumerate().all(children_follow)
    };
    let is_open_sound = |open: &Open| {
        let tree = state.trees.get(open.tree as usize);
        tree.is_some_and(|tree| (open.branch as usize) < tree.nodes.len() && tree.open > 0)
            && open.split.fits(open.node.region.options().len(), tables.space().list_len)
            && is_node_sound(&open.node, tables, classes.all()[open.tree as usize])
    };
    state.trees.len() <= classes.all().len()
        && state.trees.iter().all(is_tree_sound)
        && state.open.iter().all(is_open_sound)
        && state.step > 0.0
        && state.slack.is_finite()
}

/// True if a node's lists, tokens and rivals are of its class.
fn is_node_sound(node: &Node, tables: &Tables, class: Class) -> bool {
    let space = tables.space();
    let largest = largest(space, class) as usize;
    let (low, y) = (class.token.map_or(0, |token| token as usize + 1), class.target as usize);
    let tokens = if space.asks == Asks::Sorted { low + space.values - y } else { largest + 1 };
    let is_token = |token: &u16| (*token as usize) < low || (y..space.values).contains(&(*token as usize));
    let is_list_sound = |list: &[u16]| match space.asks {
        Asks::Sorted => {
            list.iter().all(is_token)
                && (1..list.len()).all(|at| !list[..at].contains(&list[at]))
                && list.iter().filter(|token| (**token as usize) < low).count() == class.position
        }
        Asks::Largest { .. } => list.iter().all(|token| usize::from(*token) <= largest),
    };
    node.region.options().len() == tokens
        && node.lists.iter().all(|list| is_list_sound(&list[..space.list_len]))
        && node.rivals.iter().all(|rival| {
            (rival.answer as usize) < tables.d_vocab_out()
                && rival.floors.len() == tables.n_heads()
                && rival.written.len() == tables.n_heads()
        })
        && !node.rivals.is_empty()
}
