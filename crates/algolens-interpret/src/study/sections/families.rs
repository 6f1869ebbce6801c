//! The section about families of inputs: on which of their members a model fails.

use super::figure;
use crate::{
    FamilyScores, MemberScore, Unit,
    study::{
        arrays::{Arrays, table},
        data::Study,
        figure::Plot,
        section::{Cell, Item, Section, Table},
    },
};

/// Members that a table lists at most.
const MOST_LISTED: usize = 12;

/// How the model does on each family, and the arrays `family_ID [member; share answered wrong]`; none where the task has no
/// families.
pub(in crate::study) fn section(scores: &[FamilyScores], study: &Study, arrays: &mut Arrays) -> Option<Section> {
    let all = || scores.iter().flat_map(|family| family.members.iter().map(move |member| (family, member)));
    let worst =
        all().max_by(|(_, a), (_, b)| a.wrong_share().total_cmp(&b.wrong_share()).then(a.loss.total_cmp(&b.loss)))?;
    let failing = all().filter(|(_, member)| member.right < member.size).count();
    let words = match worst {
        (_, member) if member.right == member.size => (
            format!("{} kinds, all right", all().count()),
            "Every random input of every kind is answered right.".into(),
        ),
        (family, member) => (
            format!("{}: {} of {} wrong", member.name, member.size - member.right, member.size),
            format!(
                "By {} the model is worst at {}: {} of {} random inputs are answered wrong. Wrong answers are found for {failing} \
                 of {} kinds of inputs.",
                family.differs_in,
                member.name,
                member.size - member.right,
                member.size,
                all().count()
            ),
        ),
    };
    let mut items = Vec::new();
    for family in scores.iter().filter(|family| !family.members.is_empty()) {
        items.push(chart(family, arrays));
    }
    items.extend(listed(scores, study).map(Item::Table));
    Some(super::section("families", "Families of inputs", words, items))
}

fn chart(family: &FamilyScores, arrays: &mut Arrays) -> Item {
    let values = format!("family_{}", family.id);
    let shares: Vec<[f64; 1]> = family.members.iter().map(|member| [member.wrong_share()]).collect();
    arrays.insert(values.clone(), table(&shares));
    let size = family.members.iter().map(|member| member.size).max().unwrap_or(0);
    let plot = Plot::Bars {
        values,
        names: family.members.iter().map(|member| member.name.clone()).collect(),
        series: vec!["wrong".into()],
        unit: "share answered wrong".into(),
    };
    let how = format!(
        "The share of inputs with a wrong answer, over up to {size} random ones of each kind; they are drawn kind by kind, as \
         some hardly ever come among random inputs."
    );
    let id = format!("family-{}", family.id.replace('_', "-"));
    figure(id, format!("Wrong answers by {}", family.differs_in), &how, plot)
}

/// The members with wrong answers, the worst first; none where there is none.
fn listed(scores: &[FamilyScores], study: &Study) -> Option<Table> {
    let all = scores.iter().flat_map(|family| family.members.iter().map(move |member| (family, member)));
    let mut failing: Vec<(&FamilyScores, &MemberScore)> =
        all.filter(|(_, member)| member.right < member.size).collect();
    failing.sort_by(|(_, a), (_, b)| b.wrong_share().total_cmp(&a.wrong_share()));
    let label = |token: &u32| study.labels.tokens.get(*token as usize).map_or("?", String::as_str);
    let row = |(family, member): &(&FamilyScores, &MemberScore)| {
        let [low, high] = member.interval.map(|end| Unit::Share.number(1.0 - end));
        vec![
            Cell::text(&member.name),
            Cell::text(&family.differs_in),
            Cell::Noted(member.wrong_share(), Unit::Share, format!("{high} to {low}, of {}", member.size)),
            Cell::text(member.wrong.iter().flatten().map(label).collect::<Vec<_>>().join(" ")),
        ]
    };
    let caption = match failing.len() {
        0 => return None,
        few if few <= MOST_LISTED => "Kinds of inputs that the model gets wrong".to_owned(),
        many => format!("The {MOST_LISTED} worst of {many} kinds of inputs that the model gets wrong"),
    };
    Some(Table {
        id: "failing-kinds".into(),
        caption,
        columns: ["kind", "by", "wrong (99.9 % interval)", "such an input"].map(String::from).to_vec(),
        rows: failing.iter().take(MOST_LISTED).map(row).collect(),
    })
}
