//! A page has a place for all that a study produces, and says so where it has none.

use crate::{Report, ReportError, data, page, sections::body};
use algolens::{
    engine::Plain,
    interpret::{Arrays, StudyOptions, StudyResults, Subject, study},
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{SortedList, Task},
};
use std::{collections::BTreeSet, ops::ControlFlow, sync::LazyLock};

type Studied = (StudyResults, Arrays);

/// A study of random weights.
fn studied(list_len: usize, max_value: u32) -> Studied {
    let task = SortedList::new(list_len, max_value).unwrap();
    let d_vocab = max_value as usize + 2;
    let config = Config {
        n_layers: 2,
        n_heads: 2,
        d_model: 4,
        d_head: 2,
        mlp: None,
        n_ctx: task.n_ctx(),
        d_vocab,
        d_vocab_out: d_vocab,
        normalization_type: Normalization::LN,
        attention_dir: AttentionDir::Causal,
        positional_embedding_type: Positions::Standard,
        eps: 1e-5,
    };
    let model = Model::init(config, 1).unwrap();
    let options = StudyOptions { size: 20, ..StudyOptions::default() };
    let subject = Subject { model: &model, engine: &Plain::new() };
    study(subject, &task, &options, &[], &mut |_| ControlFlow::Continue(())).unwrap()
}

static STUDIED: LazyLock<Studied> = LazyLock::new(|| studied(4, 8));

fn report((results, arrays): &Studied) -> Report<'_> {
    Report { title: "random", results, arrays, training: None, proof: None }
}

/// The values of an attribute, wherever the page has it with this beginning.
fn values<'a>(page: &'a str, attribute: &str) -> BTreeSet<&'a str> {
    page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_link_leads_to_a_place_on_the_page() {
    // Lists of one value have no gaps and no triples.
    for studied in [&*STUDIED, &studied(1, 3)] {
        let page = page(&report(studied)).unwrap();
        let (links, ids) = (values(&page, " href=\"#"), values(&page, " id=\""));
        assert!(links.len() > 8 && links.is_subset(&ids), "{:?}", links.difference(&ids));
    }
}

#[test]
fn every_figure_is_of_a_kind_that_the_script_draws() {
    let page = page(&report(&STUDIED)).unwrap();
    for kind in values(&page, " data-figure=\"") {
        assert!(
            [format!("KINDS.{kind} = "), format!("KINDS[\"{kind}\"] = ")].iter().any(|k| page.contains(k)),
            "{kind}"
        );
    }
}

#[test]
fn a_claim_that_the_page_does_not_show_is_an_error() {
    let (mut results, arrays) = STUDIED.clone();
    results.findings[0].id = "new_claim".into();
    let error = page(&report(&(results, arrays))).unwrap_err();
    assert!(matches!(&error, ReportError::UnknownClaim(claim) if claim == "new_claim"), "{error}");
}

#[test]
fn an_array_that_no_list_names_is_an_error() {
    let (results, mut arrays) = STUDIED.clone();
    let copy = arrays["pattern"].clone();
    arrays.insert("new_array".into(), copy);
    let error = data(&report(&(results, arrays))).unwrap_err();
    assert!(matches!(&error, ReportError::UnknownArray(array) if array == "new_array"), "{error}");
}

#[test]
fn an_array_that_the_study_lacks_is_an_error() {
    for name in ["probs", "triple_dla", "W_OV_full", "direct_path"] {
        let (results, mut arrays) = STUDIED.clone();
        arrays.remove(name);
        let studied = (results, arrays);
        let errors = [page(&report(&studied)).unwrap_err(), data(&report(&studied)).unwrap_err()];
        for error in errors {
            assert!(matches!(&error, ReportError::MissingArray(array) if *array == name), "{error}");
        }
    }
}

#[test]
fn a_section_without_a_body_is_an_error() {
    // There is no proof to show.
    for id in ["new_section", "proof"] {
        let error = body(id, &report(&STUDIED)).unwrap_err();
        assert!(matches!(&error, ReportError::UnknownSection(section) if section == id), "{error}");
    }
}
