//! The README and `docs/tasks.md` have a row for every task.

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
