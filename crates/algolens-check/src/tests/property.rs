//! Soundness: whatever evidence is accepted agrees with brute force over all lists.

use super::*;
use crate::logit_difference::{LogitDifferences, Side};

/// A model, and all lists with their real logits.
pub(super) struct World {
    pub task: SortedList,
    pub sizes: Sizes,
    pub counts: Counts,
    pub model: Model,
    pub circuits: Circuits,
    /// The empty set of certified classes.
    certified: Certified,
    /// Logits `[output token]` by list and position.
    logits: HashMap<(Vec<usize>, usize), Vec<f64>>,
}

pub(super) const SLACK: f64 = 0.01;
pub(super) const FLOOR_UNIT: f64 = 1.0 / 512.0;

impl World {
    pub fn new(
        list_len: usize,
        values: usize,
        heads: usize,
        norm: Normalization,
        positions: Positions,
        seed: u64,
    ) -> Self {
        let task = task(list_len, values);
        let sizes = task_of(&task.spec()).unwrap().1;
        let model = random_sorting_model(&task, kind(heads, norm, positions), seed);
        let inputs: Vec<Vec<u32>> =
            all_lists(sizes).iter().map(|list| list.iter().map(|t| *t as u32).collect()).collect();
        let data = Dataset::from_inputs(&task, &inputs).unwrap();
        // By an engine of its own, in f64.
        let found = Plain::new().logits(&model.cast::<f64>(), data.tokens(), data.positions()).unwrap();
        let by_list = |(list, position): (usize, usize)| {
            let row = found.slice(ndarray::s![list, position, ..]).to_vec();
            ((inputs[list].iter().map(|t| *t as usize).collect(), position), row)
        };
        let pairs = (0..inputs.len()).flat_map(|list| (0..list_len).map(move |position| (list, position)));
        let logits = pairs.map(by_list).collect();
        let circuits = Circuits::new(&model, sizes).unwrap();
        let certified = Certified::of(&[]);
        Self { counts: Counts::new(sizes).unwrap(), task, sizes, model, circuits, certified, logits }
    }

    pub fn context(&self) -> Context<'_> {
        let (circuits, counts) = (&self.circuits, &self.counts);
        let certified = &self.certified;
        Context { certified, circuits, counts, slack: SLACK, floor_unit: FLOOR_UNIT, vectors: Vectors::best() }
    }

    /// The logits of a class's list, given by numbers.
    fn logits(&self, class: &Class, members: &Members, list: &[usize]) -> &[f64] {
        let list: Vec<usize> = list.iter().map(|number| members.tokens[*number]).collect();
        &self.logits[&(list, class.position)]
    }

    /// The margin of a class's list.
    pub fn margin(&self, class: &Class, members: &Members, list: &[usize]) -> f64 {
        let logits = self.logits(class, members, list);
        let others = logits.iter().enumerate().filter(|(output, _)| *output != class.target);
        logits[class.target] - others.map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Lists of a class that are right and that are wrong by more than the slack.
    fn truth(&self, class: &Class, members: &Members) -> (u128, u128) {
        let margins: Vec<f64> = lists_of(class, members).iter().map(|list| self.margin(class, members, list)).collect();
        let many = |holds: &dyn Fn(f64) -> bool| margins.iter().filter(|margin| holds(**margin)).count() as u128;
        (many(&|margin| margin > SLACK), many(&|margin| margin < -SLACK))
    }
}

pub(super) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn write_signed(bytes: &mut Vec<u8>, number: i64) {
    write_number(bytes, (number << 1 ^ number >> 63) as u64);
}

/// True if a floor of head h is verified.
fn is_floor(
    differences: &mut LogitDifferences,
    side: Side,
    region: &[u16],
    heads: usize,
    h: usize,
    floor: i64,
) -> bool {
    // With all other floors as low as can be, and cells that claim nothing.
    let mut bytes = Vec::new();
    write_number(&mut bytes, 1 << (h + 1) | 1);
    write_signed(&mut bytes, floor);
    bytes.push(tag::LEAF);
    bytes.extend(vec![0; heads - 1]);
    let mut floors = vec![Some(i64::MIN); heads];
    floors[h] = None;
    differences.replay(side, region, &mut floors, &mut vec![0; region.len()], &mut Reader::new(&bytes)).is_ok()
}

/// The highest floors that are verified.
fn tight_floors(differences: &mut LogitDifferences, side: Side, region: &[u16], heads: usize) -> Vec<i64> {
    let tight = |h: usize| {
        let (mut holds, mut fails) = (-1 << 24, 1 << 24);
        assert!(is_floor(differences, side, region, heads, h, holds));
        while fails - holds > 1 {
            let middle = (holds + fails) / 2;
            if is_floor(differences, side, region, heads, h, middle) { holds = middle } else { fails = middle }
        }
        holds
    };
    (0..heads).map(tight).collect()
}

/// Cells halved at random, with random multipliers.
fn write_cells(bytes: &mut Vec<u8>, heads: usize, deep: usize, rng: &mut Twister) {
    if heads > 1 && index(rng, 4) < deep {
        bytes.push(index(rng, heads - 1) as u8);
        write_cells(bytes, heads, deep - 1, rng);
        write_cells(bytes, heads, deep - 1, rng);
    } else {
        bytes.push(tag::LEAF);
        bytes.extend((1..heads).map(|_| if index(rng, 4) == 0 { 0 } else { (128 - 24 + index(rng, 49)) as u8 }));
    }
}

/// A claim about a difference: floors near the tight ones, with cells or without.
fn write_floors(
    bytes: &mut Vec<u8>,
    differences: &mut LogitDifferences,
    side: Side,
    region: &[u16],
    heads: usize,
    before: &[Option<i64>],
    rng: &mut Twister,
) {
    let tight = tight_floors(differences, side, region, heads);
    let cells = index(rng, 5) > 0;
    write_number(bytes, ((1 << heads) - 1) << 1 | u64::from(cells));
    for (tight, before) in tight.iter().zip(before) {
        write_signed(bytes, tight - index(rng, 3) as i64 - before.unwrap_or(0));
    }
    if cells {
        write_cells(bytes, heads, 3, rng);
    }
}

#[test]
fn what_a_dominance_claim_removes_is_decided() {
    let mut rng = random::stream(4, "test/contests");
    let (mut closed, mut removed, mut claims) = (0, 0, 0);
    for seed in 0..48 {
        let heads = 1 + seed as usize % 3;
        let (norm, positions) = (NORMS[seed as usize / 3 % 3], POSITIONS[seed as usize / 9 % 2]);
        let world = World::new(4, 6, heads, norm, positions, seed);
        let classes: Vec<Class> = world.counts.classes().collect();
        for _ in 0..6 {
            let class = classes[index(&mut rng, classes.len())];
            let members = Members::new(world.sizes, &class);
            let region = random_region(&members, &mut rng);
            let lists: Vec<_> = lists_of(&class, &members).into_iter().filter(|list| is_in(&region, list)).collect();
            let slack = if rng.next_u32() & 1 == 0 { SLACK } else { 0.9 };
            let context = Context { slack, ..world.context() };
            let mut differences = LogitDifferences::new(context, &class, Members::new(world.sizes, &class));
            let rival = (class.target + 1 + index(&mut rng, world.circuits.outputs - 1)) % world.circuits.outputs;
            for side in [Side::Target(rival), Side::Rival(rival)] {
                let (winner, loser) = match side {
                    Side::Target(_) => (class.target, rival),
                    Side::Rival(_) => (rival, class.target),
                };
                if lists.is_empty() {
                    continue;
                }
                let mut bytes = Vec::new();
                let none = vec![None; heads];
                write_floors(&mut bytes, &mut differences, side, &region, heads, &none, &mut rng);
                let (mut floors, mut kept) = (none, vec![0; region.len()]);
                let mut reader = Reader::new(&bytes);
                let Ok(closes) = differences.replay(side, &region, &mut floors, &mut kept, &mut reader) else {
                    continue;
                };
                assert!(reader.is_empty());
                claims += 1;
                closed += usize::from(closes);
                for list in &lists {
                    let logits = world.logits(&class, &members, list);
                    let wins = logits[winner] - logits[loser] > slack;
                    let is_kept = !closes && is_in(&kept, list);
                    assert!(wins || is_kept, "{side:?} {} {list:?} in {region:?}: {kept:?}", class.name());
                    removed += usize::from(!closes && !is_kept);
                }
            }
        }
    }
    assert!(claims > 300 && closed > 30 && removed > 100, "{claims} {closed} {removed}");
}

/// Writer of random proofs that branch down to single lists, with random moves on the way.
pub(super) struct ProofWriter<'a> {
    world: &'a World,
    class: Class,
    members: Members,
    differences: LogitDifferences<'a>,
    /// Percentages of nodes with moves, and of nodes left open.
    often: [usize; 2],
}

impl<'a> ProofWriter<'a> {
    pub fn new(world: &'a World, class: Class, often: [usize; 2]) -> Self {
        let members = || Members::new(world.sizes, &class);
        Self {
            differences: LogitDifferences::new(world.context(), &class, members()),
            members: members(),
            world,
            class,
            often,
        }
    }

    fn write(&mut self, bytes: &mut Vec<u8>, region: &[u16], floors: &[Vec<Option<i64>>], rng: &mut Twister) {
        let (outputs, heads) = (self.world.circuits.outputs, self.world.circuits.heads);
        let (mut region, mut floors) = (region.to_vec(), floors.to_vec());
        let mut count = Counter::new(&self.members, 1, Vectors::best());
        if index(rng, 100) < self.often[0] && count.count(&region) > 0 {
            let right = index(rng, 3) > 0;
            let mut needed = vec![0; region.len()];
            for rival in (0..outputs).filter(|rival| *rival != self.class.target) {
                let side = if right { Side::Target(rival) } else { Side::Rival(rival) };
                if !right && index(rng, outputs) > 0 {
                    continue;
                }
                let none = vec![None; heads];
                let before = if right { &floors[rival] } else { &none };
                let mut claim = Vec::new();
                write_floors(&mut claim, &mut self.differences, side, &region, heads, before, rng);
                let (mut after, mut kept) = (before.clone(), vec![0; region.len()]);
                match self.differences.replay(side, &region, &mut after, &mut kept, &mut Reader::new(&claim)) {
                    Ok(_) => {
                        bytes.push(if right { tag::RIGHT } else { tag::WRONG });
                        write_number(bytes, rival as u64);
                        bytes.extend(claim);
                        if right {
                            floors[rival] = after;
                            needed.iter_mut().zip(kept).for_each(|(needed, kept)| *needed |= kept);
                        } else {
                            region.iter_mut().zip(kept).for_each(|(options, kept)| *options &= kept);
                        }
                    }
                    Err(_) => needed.clone_from(&region),
                }
            }
            if right {
                bytes.push(tag::KEEP);
                region.iter_mut().zip(needed).for_each(|(options, needed)| *options &= needed);
            }
        }
        let many = region.iter().position(|options| options.count_ones() > 1);
        match (count.count(&region), many) {
            (0, _) => bytes.push(tag::DONE),
            (1, _) | (_, None) => bytes.push(tag::SINGLE),
            _ if index(rng, 100) < self.often[1] => bytes.push(tag::OPEN),
            (_, Some(token)) => {
                let mask = region[token] & region[token].wrapping_neg();
                bytes.push(tag::SPLIT);
                write_number(bytes, token as u64);
                bytes.extend(mask.to_le_bytes());
                for mask in [mask, !mask] {
                    let mut part = region.clone();
                    part[token] &= mask;
                    self.write(bytes, &part, &floors, rng);
                }
            }
        }
    }

    /// A proof of the whole class.
    pub fn proof(&mut self, rng: &mut Twister) -> Vec<u8> {
        let mut bytes = Vec::new();
        let floors = vec![vec![None; self.world.circuits.heads]; self.world.circuits.outputs];
        self.write(&mut bytes, &self.members.root(), &floors, rng);
        bytes
    }
}

#[test]
fn whole_proofs_count_no_more_than_there_is() {
    let mut rng = random::stream(5, "test/proofs");
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..18 {
        let heads = 1 + seed as usize % 3;
        let world = World::new(4, 6, heads, NORMS[seed as usize % 2], POSITIONS[seed as usize / 2 % 2], seed + 100);
        let classes: Vec<Class> = world.counts.classes().collect();
        for often in [[0, 0], [100, 10], [30, 30], [20, 0]] {
            let class = classes[index(&mut rng, classes.len())];
            let mut writer = ProofWriter::new(&world, class, often);
            let proof = writer.proof(&mut rng);
            let lists = Replay::new(world.context(), class).run(&proof).unwrap();
            let truth = world.truth(&class, &writer.members);
            assert_eq!(Reader::new(&proof).class(heads).unwrap(), proof);
            assert!(lists.right <= truth.0 && lists.wrong <= truth.1, "{} {lists:?} {truth:?}", class.name());
            if often[1] == 0 {
                assert_eq!((lists.right, lists.wrong), truth, "{}", class.name());
            }
            right += lists.right;
            wrong += lists.wrong;
        }
    }
    assert!(right > 10 && wrong > 100, "{right} {wrong}");
}

#[test]
fn no_bytes_make_the_replay_panic_or_lie() {
    let mut rng = random::stream(6, "test/bytes");
    let world = World::new(3, 5, 2, Normalization::LN, Positions::Standard, 7);
    let classes: Vec<Class> = world.counts.classes().collect();
    for turn in 0..3000 {
        let class = classes[index(&mut rng, classes.len())];
        let mut writer = ProofWriter::new(&world, class, [30, 5]);
        let truth = world.truth(&class, &writer.members);
        let mut bytes = if turn % 2 == 0 { writer.proof(&mut rng) } else { Vec::new() };
        if turn % 2 == 1 {
            bytes.extend(
                (0..40).map(|_| if index(&mut rng, 3) > 0 { index(&mut rng, 7) } else { index(&mut rng, 256) } as u8),
            );
        }
        for _ in 0..index(&mut rng, 3) {
            let at = index(&mut rng, bytes.len());
            bytes[at] = index(&mut rng, 256) as u8;
        }
        let bytes = &bytes[..bytes.len() - index(&mut rng, 3).min(bytes.len())];
        let _ = Reader::new(bytes).class(2);
        if let Ok(lists) = Replay::new(world.context(), class).run(bytes) {
            assert!(lists.right <= truth.0 && lists.wrong <= truth.1, "{} {bytes:?}", class.name());
        }
    }
}
