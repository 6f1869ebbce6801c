//! Removing the direct path from lists with d, d+1, d+2.

use crate::{
    Ablation, Method, Part, Prediction, Subject, predict,
    prediction::predict_with,
    tasks::sorted_list::{POST_TRIPLES, families::list_with},
};
use algolens_core::{
    Result, random,
    task::{Dataset, SortedList, Token},
};

/// What a model answers at the first of three close values of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The values x < y < z, y next after x and z next after y.
    pub values: [Token; 3],
    /// The answer at x.
    pub answer: Token,
    /// The answer at x with the direct path mean-ablated.
    pub without: Token,
}

/// What a model answers with and without its direct path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// At d in random lists with d, d+1 and d+2, one answer a list.
    pub random: Vec<Run>,
    /// At x in the post's triples; none for other sizes of the task.
    pub post: Vec<Run>,
}

/// The experiment [`Runs`] over so many random `lists`, with the direct path's mean over `data`; nothing where lists are shorter
/// than three values.
pub fn runs(subject: Subject, task: &SortedList, data: &Dataset, lists: usize, seed: u32) -> Result<Runs> {
    let max = task.max_value();
    if task.list_len() < 3 {
        return Ok(Runs::default());
    }
    let mut rng = random::stream(seed.into(), "lists with d, d+1 and d+2");
    let run = |at: u32| {
        let d = at % (max - 1);
        let list = list_with(&[d, d + 1, d + 2], (0..=max).filter(|v| *v < d || *v > d + 2), task, &mut rng);
        ([d, d + 1, d + 2], list)
    };
    let mut all: Vec<([Token; 3], Vec<Token>)> = (0..lists as u32).map(run).collect();
    if *task == SortedList::POST {
        all.extend(POST_TRIPLES.map(|(list, values)| (values, list.to_vec())));
    }
    let (values, inputs): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let chosen = Dataset::from_inputs(task, &inputs)?;
    let ablation = Ablation { parts: vec![Part::DirectPath], method: Method::Mean, ..Ablation::default() };
    let answers = predict(subject, &chosen)?;
    let without = predict_with(subject, &chosen, &ablation.interventions(subject.model, data, data))?;
    let runs = values.into_iter().zip(answers.iter().zip(&without)).map(|(values, (answer, without))| {
        // The answer after x: predictions are one ahead of the sorted values, the first being that at SEP.
        let slot = answer.expected.iter().position(|right| *right == values[0]).map_or(0, |rank| rank + 1);
        let said = |prediction: &Prediction| prediction.predicted[slot].classes()[0];
        Run { values, answer: said(answer), without: said(without) }
    });
    let mut random: Vec<Run> = runs.collect();
    let post = random.split_off(lists);
    Ok(Runs { random, post })
}
