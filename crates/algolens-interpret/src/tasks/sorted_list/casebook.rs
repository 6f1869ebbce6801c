//! The casebook of sorting: its evidence and claims, in a study.

use super::{
    Evidence, Measures, POST_TRIPLES, Triple, TripleAttribution, claims,
    examples::{ADVERSARIAL, examples},
    gap_points, gather, sections, smallest_points, triple_attribution,
};
use crate::{Arrays, Case, Casebook, CopyHeads, Group, Study, Subject, greedy, study::table, support::check_sorting};
use algolens_core::{
    Error, Result,
    model::{AttentionDir, Config},
    task::{Dataset, SortedList, Token},
};
use ndarray::Axis;
use serde_json::Value;

impl Casebook for SortedList {
    fn examples(&self) -> Vec<(Group, Vec<Vec<Token>>)> {
        examples(self)
    }

    fn check(&self, config: &Config) -> Result<()> {
        check_sorting(config)
    }

    fn stages(&self) -> &'static [&'static str] {
        &["claims, beside controls"]
    }

    fn write(&self, case: &mut Case, study: &mut Study, arrays: &mut Arrays) -> Result<()> {
        let Case { subject, data, seed, processing, others, .. } = *case;
        (case.next_stage)()?;
        let gathered = gather(subject, self, data, processing, others, seed)?;
        study.findings = gathered.findings(claims(), study.evaluation.token_accuracy);
        let measures = measures(self, subject, data, &gathered.evidence, study)?;
        write_arrays(&gathered.evidence, &measures, study, arrays);
        sections::write(self, &measures, study, arrays);
        let Ok(Value::Object(measures)) = serde_json::to_value(&measures) else {
            return Err(Error::invalid("measures", "numbers that JSON can hold", "others"));
        };
        study.measures.extend(measures);
        Ok(())
    }
}

/// What the casebook measures, from the evidence.
fn measures(
    task: &SortedList,
    subject: Subject,
    data: &Dataset,
    evidence: &Evidence,
    study: &Study,
) -> Result<Measures> {
    let adversarial = study.examples.iter().filter(|example| example.group == ADVERSARIAL);
    Ok(Measures {
        greedy_list_accuracy: greedy_list_accuracy(subject, task, data)?,
        attention: evidence.attention(),
        copy_heads: evidence.copy_heads.clone(),
        ov_offsets: evidence.ov_offsets(),
        triples: if *task == SortedList::POST { triples(subject, task, &evidence.copy_heads)? } else { Vec::new() },
        close_triples: evidence.triples.statistics(),
        adversarial: adversarial.map(|example| example.prediction.clone()).collect(),
        gaps: gap_points(&evidence.gaps),
        smallest: smallest_points(&evidence.smallest),
    })
}

/// Adds the arrays that the casebook's figures are drawn from, and `probs_custom [example, class, predicted position]` of the
/// post's adversarial lists.
fn write_arrays(evidence: &Evidence, measures: &Measures, study: &Study, arrays: &mut Arrays) {
    let gaps = measures.gaps.iter().map(|p| [f64::from(p.gap), p.accuracy, p.self_attention, p.prob_x, p.prob_y]);
    let smallest = measures.smallest.iter().map(|p| [f64::from(p.smallest), p.accuracy, p.attention]);
    let triples = measures.triples.iter().flat_map(|triple| triple.dla);
    let post = table(&triples.collect::<Vec<_>>());
    let post = post.into_shape_with_order(vec![measures.triples.len(), 2, 2]).expect("a triple has two rows of two");
    let adversarial = (0..study.examples.len()).filter(|example| study.examples[*example].group == ADVERSARIAL);
    let custom = arrays["probs"].select(Axis(0), &adversarial.collect::<Vec<_>>());
    let of_casebook = [
        ("triple_tokens", evidence.triples.tokens.mapv(|token| token as f32).into_dyn()),
        ("triple_dla", evidence.triples.dla.mapv(|logit| logit as f32).into_dyn()),
        ("triples_post", post),
        ("gaps", table(&gaps.collect::<Vec<_>>())),
        ("smallest", table(&smallest.collect::<Vec<_>>())),
        ("probs_custom", custom),
    ];
    arrays.extend(of_casebook.map(|(name, array)| (name.to_owned(), array)));
}

/// The share of lists that greedy decoding sorts; none if attention is not causal.
fn greedy_list_accuracy(subject: Subject, task: &SortedList, data: &Dataset) -> Result<Option<f64>> {
    if subject.model.config().attention_dir != AttentionDir::Causal {
        return Ok(None);
    }
    let written = greedy(subject, task, data)?;
    let sorted = written.outer_iter().zip(data.classes()?.outer_iter()).filter(|(a, b)| a == b).count();
    Ok(Some(sorted as f64 / data.len() as f64))
}

/// The attributions of the post's triples, each through the copying head of its target (in the post's model, those the post
/// chose).
fn triples(subject: Subject, task: &SortedList, copy_heads: &CopyHeads) -> Result<Vec<TripleAttribution>> {
    let attribute = |(list, [x, y, z]): &([Token; 10], [Token; 3])| {
        let head = copy_heads.copying_head(*y)?;
        triple_attribution(subject, task, Triple { list, head, x: *x, y: *y, z: *z })
    };
    POST_TRIPLES.iter().map(attribute).collect()
}
