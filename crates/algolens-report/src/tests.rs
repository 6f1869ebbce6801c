//! A page shows all that a study holds, and says what a study lacks.

mod figures;
mod pictures;
mod sheets;
mod sketches;

use crate::{Report, ReportError, data, page};
use algolens::{
    engine::Plain,
    interpret::{Arrays, Casebook, Item, Material, Study, StudyOptions, Subject, study},
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{Dataset, SortedList, Task},
};
use std::{collections::BTreeSet, ops::ControlFlow, sync::LazyLock};

type Studied = (Study, Arrays);

/// Random weights that sort.
fn model(task: &SortedList) -> Model {
    let d_vocab = task.max_value() as usize + 2;
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
        ..Config::default()
    };
    Model::init(config, 1).unwrap()
}

fn study_of(task: &SortedList, material: Material, casebook: Option<&dyn Casebook>) -> Studied {
    let model = model(task);
    let options = StudyOptions { title: "random".into(), size: 20, ..StudyOptions::default() };
    let subject = Subject { model: &model, engine: &Plain::new() };
    study(subject, material, casebook, &options, &[], &mut |_| ControlFlow::Continue(())).unwrap()
}

/// A study with the task's casebook.
fn studied(list_len: usize, max_value: u32) -> Studied {
    let task = SortedList::new(list_len, max_value).unwrap();
    study_of(&task, Material::Task(&task), Some(&task))
}

/// Studies without a casebook: of a task, and of data alone.
static WITHOUT_CASEBOOK: LazyLock<[Studied; 2]> = LazyLock::new(|| {
    let task = SortedList::new(3, 6).unwrap();
    let drawn = task.dataset(12, 1);
    let labels = drawn.token_labels().to_vec();
    let (tokens, targets) = (drawn.tokens().to_owned(), drawn.classes().unwrap().to_owned());
    let data = Dataset::new(tokens, targets, drawn.positions().to_vec(), labels).unwrap();
    [Material::Task(&task), Material::Data(&data)].map(|material| study_of(&task, material, None))
});

static STUDIED: LazyLock<Studied> = LazyLock::new(|| studied(4, 8));
/// A study of the task that the proof of tests is about.
static SMALL: LazyLock<Studied> = LazyLock::new(|| studied(2, 2));

fn report((study, arrays): &Studied) -> Report<'_> {
    Report { study, arrays, proof: None }
}

/// The values of an attribute, wherever the page has it with this beginning.
fn values<'a>(page: &'a str, attribute: &str) -> BTreeSet<&'a str> {
    page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_link_leads_to_a_place_on_the_page() {
    // Lists of one value have no gaps and no triples.
    let [of_task, of_data] = &*WITHOUT_CASEBOOK;
    for (studied, sections) in [(&*STUDIED, 8), (&studied(1, 3), 8), (of_task, 7), (of_data, 7)] {
        assert_eq!(studied.0.sections.len(), sections);
        let page = page(&report(studied)).unwrap();
        let (links, ids) = (values(&page, " href=\"#"), values(&page, " id=\""));
        assert!(links.len() >= sections && links.is_subset(&ids), "{:?}", links.difference(&ids));
    }
}

#[test]
fn every_figure_is_of_a_kind_that_the_script_draws() {
    let page = page(&report(&STUDIED)).unwrap();
    let kinds = values(&page, " data-figure=\"");
    assert!(kinds.len() >= 10, "{kinds:?}");
    for kind in kinds {
        assert!(
            [format!("KINDS.{kind} = "), format!("KINDS[\"{kind}\"] = ")].iter().any(|k| page.contains(k)),
            "{kind}"
        );
    }
}

#[test]
fn what_a_study_lacks_is_named() {
    let said = |spoil: &dyn Fn(&mut Study, &mut Arrays)| {
        let (mut study, mut arrays) = STUDIED.clone();
        spoil(&mut study, &mut arrays);
        let studied = (study, arrays);
        let errors = [page(&report(&studied)).unwrap_err(), data(&report(&studied)).unwrap_err()];
        assert!(errors.iter().all(|error| matches!(error, ReportError::Study(_))));
        let [of_page, of_data] = errors.map(|error| error.to_string());
        assert_eq!(of_page, of_data);
        of_page
    };
    for (name, figure) in
        [("probs", "probs"), ("triple_dla", "triples-all"), ("W_OV_full", "ov-0"), ("direct_path", "direct")]
    {
        let lacked = said(&|_, arrays| drop(arrays.remove(name)));
        let expected =
            format!("the array {name} of the figure {figure}: expected among the study's arrays, found none");
        assert_eq!(lacked, expected);
    }
    assert_eq!(
        said(&|study, _| study.findings[0].id = "new_claim".into()),
        "the claim new_claim: expected a figure or section that shows it, found none"
    );
    let astray = said(&|study, _| {
        for section in &mut study.sections {
            if let Some(Item::Claims(shown)) = section.items.first_mut() {
                shown[0].at = "fig-nowhere".into();
            }
        }
    });
    assert!(astray.ends_with("expected a figure or section of the study, found fig-nowhere"), "{astray}");
    let twice = said(&|study, _| {
        let section = study.sections[0].clone();
        study.sections.push(section);
    });
    assert!(twice.ends_with("expected a name of its own, found model twice"), "{twice}");
}

#[test]
fn a_study_reads_what_it_wrote() {
    for (study, _) in [&*STUDIED].into_iter().chain(&*WITHOUT_CASEBOOK) {
        let json = serde_json::to_string(study).unwrap();
        let read: Study = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
