//! `algolens scores`: the attention scores of one list, term by term.

use crate::{
    example::{Example, ExampleArgs},
    load::ModelArgs,
    output,
};
use algolens::{
    Error, Result,
    engine::Plain,
    interpret::{Head, KEY_TERMS, QUERY_TERMS, ScoreTerms, Subject, score_terms},
    task::Registry,
};
use ndarray::s;
use serde::Serialize;

/// Split the attention scores of one query into token, position and bias terms
///
/// The terms of a cell sum to its score in the first block, up to a constant that all keys of the query share.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
                        algolens scores models/sorted_list.safetensors 7,5,47,20,48,24,11,4,19,39 --query 18 --head 0.1\n  \
                        algolens scores model.pt --data data.npz --example 3")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    example: ExampleArgs,
    /// The position of the query [default: the first that predicts]
    #[arg(long, value_name = "P")]
    query: Option<usize>,
    /// The head
    #[arg(long, value_name = "L.H", default_value_t = Head { layer: 0, head: 0 })]
    head: Head,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print JSON: all terms, [head, query term, key term, query, key]
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Terms<'a> {
    query_terms: [&'static str; 3],
    key_terms: [&'static str; 2],
    #[serde(flatten)]
    terms: &'a ScoreTerms,
}

/// Splits the scores, and shows them: a row a key, a column a term.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    args.head.check(opened.model.config())?;
    if args.head.layer != 0 {
        return Err(Error::invalid(
            "--head",
            "a head of the first block, whose inputs are tokens and positions",
            args.head,
        ));
    }
    let Example { tokens, positions, labels, .. } = args.example.read(&opened)?;
    let query = args.query.or_else(|| positions.first().copied()).unwrap_or(0);
    if query >= labels.len() {
        return Err(Error::invalid("--query", format!("a position below {}", labels.len()), query));
    }
    let subject = Subject { model: &opened.model, engine: &Plain::new() };
    let terms = score_terms(subject, &tokens.row(0).to_vec())?;
    if args.json {
        return output::json_of(&opened, &Terms { query_terms: QUERY_TERMS, key_terms: KEY_TERMS, terms: &terms });
    }
    let names = QUERY_TERMS.iter().flat_map(|query| KEY_TERMS.iter().map(move |key| format!("{query}·{key}")));
    let header: Vec<String> = ["key".to_owned(), "sum".to_owned()].into_iter().chain(names).collect();
    let rows = (0..opened.model.config().keys_seen(query, labels.len())).map(|key| {
        let cell = terms.terms.slice(s![args.head.head, .., .., query, key]);
        let values = [cell.sum()].into_iter().chain(cell.iter().copied()).map(|value| format!("{value:.2}"));
        [format!("{} ({key})", labels[key])].into_iter().chain(values).collect()
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let title =
        format!("head {}: scores of query {} (position {query}), query term · key term\n", args.head, labels[query]);
    Ok(title + &output::table(&header, rows))
}
