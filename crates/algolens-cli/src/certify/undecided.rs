//! What a search has not decided.

use crate::output;
use algolens::{
    check::certificate::Status,
    prove::Search,
    task::{Token, labels_of},
};

/// The classes of which it is not known whether the model is right on all their lists, those with most lists first; and in how
/// many parts all lists stand that are not decided. `labels` are what tokens are called.
pub fn undecided(search: &Search, labels: &[String]) -> String {
    /// Classes that are listed.
    const MOST: usize = 20;
    let (decided, worst) = (search.decided(), search.worst());
    let share = |number: usize| {
        let decided = decided[number];
        search.classes().share(search.classes().all()[number]) * (1.0 - decided.right - decided.wrong)
    };
    let mut numbers: Vec<usize> = (0..decided.len()).filter(|at| decided[*at].status == Status::Undecided).collect();
    numbers.sort_by(|a, b| share(*b).total_cmp(&share(*a)));
    let called = |token: Token| labels_of(labels, &[token]).concat();
    let rows = numbers.iter().take(MOST).map(|number| {
        let class = search.classes().all()[*number];
        let least = worst.get(*number).and_then(Option::as_ref);
        vec![
            class.position.to_string(),
            class.token.map(called).unwrap_or_default(),
            called(class.target),
            format!("{:.2e}", share(*number)),
            least.map_or_else(String::new, |least| format!("{:.4}", least.margin)),
        ]
    });
    let mut text = String::new();
    if !numbers.is_empty() {
        let names = ["undecided, prediction", "after", "expected", "of predictions", "least margin found"];
        text = format!("\n{}", output::table(&names, rows));
    }
    match search.open_parts() {
        0 => text,
        parts => {
            text + &format!("\nundecided lists stand in {parts} parts of classes; more time splits them further\n")
        }
    }
}
