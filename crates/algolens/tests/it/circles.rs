//! No file imports another in a circle.
//!
//! An import is a `use` line that names a module of the same crate; a name is followed through re-exports to the file that
//! defines it. Declarations (`mod`), re-exports (`pub use`) and tests are no imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

type Module = Vec<String>;

/// What a file says of itself: the names it defines, and the paths it uses, as written.
struct Source {
    defines: BTreeSet<String>,
    uses: Vec<Use>,
}

struct Use {
    /// `super::class::Class`.
    path: Vec<String>,
    /// The name it has here.
    name: String,
    exported: bool,
}

/// The files of a crate by module path; tests are left out.
fn sources(folder: &Path) -> BTreeMap<Module, Source> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if stem == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(folder).unwrap().with_extension("");
                let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                module.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
                found.insert(module, source(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn source(text: &str) -> Source {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let mut source = Source { defines: BTreeSet::new(), uses: Vec::new() };
    for line in &lines {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
        if line.starts_with("pub") || !line.starts_with(' ') {
            let kinds = ["struct", "enum", "trait", "fn", "const", "static", "type", "macro_rules"];
            if let Some(kind) = words.find(|word| kinds.contains(word)) {
                let after = words.find(|word| kind != "const" || *word != "fn");
                source.defines.extend(after.map(str::to_owned));
            }
        }
    }
    let code = lines.join("\n");
    let mut statements = code.split(';').map(str::trim_start).filter_map(|statement| {
        let statement = statement
            .lines()
            .skip_while(|line| !(line.starts_with("use ") || line.starts_with("pub")))
            .collect::<Vec<_>>()
            .join(" ");
        let (head, tree) = statement.split_once("use ")?;
        (head.is_empty() || head.starts_with("pub")).then(|| (head.starts_with("pub"), tree.to_owned()))
    });
    for (exported, tree) in &mut statements {
        for path in paths(&tree) {
            let (path, name) = path
                .split_once(" as ")
                .map_or((path.clone(), None), |(path, name)| (path.into(), Some(name.to_owned())));
            let path: Vec<String> = path
                .split("::")
                .map(|part| part.trim().to_owned())
                .filter(|part| part != "self" || part.is_empty())
                .collect();
            let Some(last) = path.last().cloned() else { continue };
            source.uses.push(Use { name: name.unwrap_or(last), path, exported });
        }
    }
    source
}

/// The paths of a tree: `a::{b, c::{d, e}}` has three.
fn paths(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(paths).map(|path| format!("{}{path}", prefix.trim())).collect()
}

/// The file that a path of a module leads to, if it is one of the crate's.
fn leads_to(sources: &BTreeMap<Module, Source>, from: &Module, path: &[String], seen: usize) -> Option<Module> {
    let mut at = from.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &path[1..]),
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop()?;
                rest = &rest[1..];
            }
        }
        first => {
            let mut child = from.clone();
            child.push(first.to_owned());
            sources.get(&child)?;
        }
    }
    while let Some(part) = rest.first() {
        let mut child = at.clone();
        child.push(part.clone());
        if !sources.contains_key(&child) {
            break;
        }
        (at, rest) = (child, &rest[1..]);
    }
    let source = sources.get(&at)?;
    let Some(name) = rest.first() else { return Some(at) };
    let passed_on = source.uses.iter().find(|used| used.name == *name);
    match passed_on {
        Some(used) if !source.defines.contains(name) && seen < 8 => leads_to(sources, &at, &used.path, seen + 1),
        _ => Some(at),
    }
}

/// The modules that each module imports.
fn imports(sources: &BTreeMap<Module, Source>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let edges = sources.iter().map(|(module, source)| {
        let used = source.uses.iter().filter(|used| !used.exported);
        let files = used.filter_map(|used| leads_to(sources, module, &used.path, 0));
        (module, files.filter(|file| file != module).collect())
    });
    edges.collect()
}

/// The modules that can be reached from one.
fn reached<'a>(imports: &'a BTreeMap<&Module, BTreeSet<Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&imports[module]);
        }
    }
    reached
}

fn crates() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut crates: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    crates.sort();
    crates
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut counted = 0;
    for folder in crates() {
        let sources = sources(&folder);
        let imports = imports(&sources);
        counted += imports.values().map(BTreeSet::len).sum::<usize>();
        for module in imports.keys() {
            assert!(
                !reached(&imports, module).contains(module),
                "{}: {} is in a circle",
                folder.display(),
                module.join("::")
            );
        }
    }
    assert!(counted > 300, "only {counted} imports were found");
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let files = [
        ("", "mod a;\nmod b;\npub use b::{\n    B,\n    C as D,\n};"),
        ("a", "use super::D;\npub struct A;"),
        ("b", "use crate::a::A;\npub struct B;\npub const fn C() {}"),
    ];
    let module = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Module>();
    let sources: BTreeMap<Module, Source> = files.iter().map(|(name, text)| (module(name), source(text))).collect();
    let imports = imports(&sources);
    assert!(reached(&imports, &module("a")).contains(&module("a")));
    assert!(imports[&module("")].is_empty());
}

#[test]
fn the_search_takes_of_the_checker_its_format_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../algolens-prove/src");
    for (module, source) in sources(&folder) {
        let of_checker = source.uses.iter().filter(|used| used.path[0] == "algolens_check");
        for used in of_checker {
            assert_eq!(used.path[1], "certificate", "{}: {}", module.join("::"), used.path.join("::"));
        }
    }
}

/// A file that no other declares is not compiled.
#[test]
fn every_file_is_part_of_its_crate() {
    for folder in crates() {
        let mut folders = vec![folder.clone()];
        while let Some(current) = folders.pop() {
            for entry in fs::read_dir(&current).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let stem = path.file_stem().unwrap().to_str().unwrap();
                if path.extension().is_none_or(|extension| extension != "rs") || ["lib", "main", "mod"].contains(&stem)
                {
                    continue;
                }
                let declaring = ["mod.rs", "lib.rs", "main.rs"].map(|name| current.join(name));
                let declaring =
                    declaring.into_iter().chain([current.with_extension("rs")]).filter(|path| path.exists());
                let declared = declaring.map(|path| fs::read_to_string(path).unwrap());
                let declaration = format!("mod {stem};");
                assert!(
                    declared.into_iter().any(|text| text.contains(&declaration)),
                    "{}: in no module",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_450_lines() {
    let mut folders: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= 450, "{}: {lines} lines", path.display());
            }
        }
    }
}
