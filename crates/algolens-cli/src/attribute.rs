//! `algolens attribute`: the logits by component and by source token.

use crate::{
    example::{Example, ExampleArgs},
    load::ModelArgs,
    output,
};
use algolens::{
    Error, Result,
    engine::Plain,
    interpret::{Attribution, Head, Subject, attribution, nested, source_attribution},
    task::{Registry, Role, Token},
};
use ndarray::{Array5, s};
use serde::Serialize;

/// Split the logits of a list into what each component, and each source token, adds
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
                        algolens attribute models/sorted_list.safetensors 0,5,10,15,20,25,26,27,40,45 --after 25\n  \
                        algolens attribute models/sorted_list.safetensors 0,5,10,15,20,25,26,27,40,45 --after 25 \
                        --sources 0.1")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    example: ExampleArgs,
    /// Look at the prediction after this token of the answer, such as a sorted value
    #[arg(long, value_name = "TOKEN", conflicts_with = "at")]
    after: Option<Token>,
    /// Look at the prediction at this position [default: the first that predicts]
    #[arg(long, value_name = "P")]
    at: Option<usize>,
    /// Split what this head adds by source token
    #[arg(long, value_name = "L.H")]
    sources: Option<Head>,
    /// Tokens shown: those with the largest logits, and the right one
    #[arg(long, default_value_t = 4)]
    top: usize,
    /// Use the weights as they are
    #[arg(long)]
    raw: bool,
    /// Print JSON: everything, at every predicted position
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Everything {
    tokens: Vec<Token>,
    positions: Vec<usize>,
    #[serde(flatten)]
    attribution: Attribution,
    /// `[batch, head, position, source, class]` of the block asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Sources>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Sources(#[serde(serialize_with = "nested")] Array5<f64>);

/// Attributes the logits, and shows them: a row a component or source token, a column a class.
pub fn run(args: &Args, registry: &Registry) -> Result<String> {
    let opened = args.model.processed(!args.raw, registry)?;
    let example = args.example.read(&opened)?;
    let slot = args.slot(&example)?;
    let subject = Subject { model: &opened.model, engine: &Plain::new() };
    let attribution = attribution(subject, example.tokens.view(), &example.positions)?;
    let sources = match args.sources {
        None => None,
        Some(head) => {
            head.check(opened.model.config())?;
            Some(source_attribution(subject, head.layer, example.tokens.view(), &example.positions)?)
        }
    };
    if args.json {
        let (tokens, positions) = (example.tokens.row(0).to_vec(), example.positions);
        return output::json_of(&opened, &Everything { tokens, positions, attribution, sources: sources.map(Sources) });
    }
    let logits = attribution.contributions.slice(s![.., 0, slot, ..]).sum_axis(ndarray::Axis(0));
    let classes = shown(&logits.to_vec(), &example.right[slot], args.top);
    let labels = &example.output_labels;
    let names = classes.iter().map(|class| format!("→ {}", labels[*class]));
    let cells = |name: String, values: ndarray::ArrayView1<f64>| -> Vec<String> {
        [name].into_iter().chain(classes.iter().map(|class| format!("{:.2}", values[*class]))).collect()
    };
    let (first, mut rows): (&str, Vec<Vec<String>>) = match (&sources, args.sources) {
        (Some(sources), Some(head)) => {
            let position = example.positions[slot];
            let logits = |source: usize| sources.slice(s![0, head.head, slot, source, ..]);
            let name = |source: usize| format!("{} ({source})", example.labels[source]);
            let seen = opened.model.config().keys_seen(position, example.labels.len());
            ("source", (0..seen).map(|source| cells(name(source), logits(source))).collect())
        }
        _ => {
            let logits = |at: usize| attribution.contributions.slice(s![at, 0, slot, ..]);
            let components = attribution.components.iter().enumerate();
            ("component", components.map(|(at, name)| cells(name.clone(), logits(at))).collect())
        }
    };
    if args.sources.is_none() {
        rows.push(cells("logit".into(), logits.view()));
    }
    let header: Vec<String> = [first.to_owned()].into_iter().chain(names).collect();
    Ok(output::table(&header.iter().map(String::as_str).collect::<Vec<_>>(), rows))
}

impl Args {
    /// The index of the predicted position that is looked at.
    fn slot(&self, Example { positions, tokens, roles, .. }: &Example) -> Result<usize> {
        if let Some(at) = self.at {
            let expected = || format!("one of the predicted positions ({})", output::ranges(positions));
            let found = positions.iter().position(|position| *position == at);
            return found.ok_or_else(|| Error::invalid("--at", expected(), at));
        }
        let Some(value) = self.after else { return Ok(0) };
        // Without a task, any token may be one of the answer.
        let in_answer = |position: usize| roles.as_ref().is_none_or(|roles| roles[position] == Role::Answer);
        let answers = |position: &usize| in_answer(*position) && tokens[[0, *position]] == value;
        let expected = "a token of the answer after which there is a prediction";
        positions.iter().position(answers).ok_or_else(|| Error::invalid("--after", expected, value))
    }
}

/// The classes with the largest logits, in their order, and the right ones.
fn shown(logits: &[f64], right: &[usize], top: usize) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    classes.truncate(top.max(1));
    let missing: Vec<usize> = right.iter().copied().filter(|class| !classes.contains(class)).collect();
    classes.extend(missing);
    classes
}
