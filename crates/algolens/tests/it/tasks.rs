//! The README and `docs/tasks.md` have a row for every task, and `docs/pages.md` a picture.

use algolens::task::Registry;

#[test]
fn every_task_has_a_row_in_the_tables() {
    let tables = [include_str!("../../../../README.md"), include_str!("../../../../docs/tasks.md")];
    for (spec, _) in Registry::default().defaults() {
        for table in tables {
            let name = format!("`{}", spec.name);
            let mut rows = table.lines().filter(|line| line.starts_with('|'));
            assert!(rows.any(|row| row.split('|').nth(1).is_some_and(|first| first.contains(&name))), "{name}`");
        }
    }
}

/// `docs/pages.sh` makes the pictures; of sorting there is the README's.
#[test]
fn every_task_has_a_picture() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/pages/");
    let page = include_str!("../../../../docs/pages.md");
    let registry = Registry::default();
    let tasks = registry.names().filter(|name| *name != "sorted_list");
    let mut expected: Vec<String> = tasks.map(|name| format!("{name}.png")).collect();
    expected.sort();
    let mut found: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected);
    assert!(expected.iter().all(|picture| page.contains(&format!("(pages/{picture})"))));
}
