// Writes to stacks by address.
#![allow(unsafe_code)]

use corosensei::stack::Stack as _;

use super::super::arena::{Arena, Stack};
use super::super::host_memory::HostMemory;
use super::*;

fn touch(stack: &Stack, byte: u8) {
    // SAFETY: the stack is taken and nothing runs on it; the head is its topmost part.
    unsafe { stack.head().write_volatile(byte) };
}

fn top_byte(stack: &Stack) -> u8 {
    // SAFETY: as above.
    unsafe { stack.head().read_volatile() }
}

/// Arenas as on this host, on one that takes no advice about many ranges at once, and on one that
/// lacks markers too.
fn arenas(slots: usize, reserve: usize) -> [(&'static str, Arena); 3] {
    ["as it is", "a call each", "mappings"].map(|what| {
        let mut arena = Arena::with_reserve(STACK, slots, reserve).unwrap();
        let host = arena.host();
        *host = match what {
            "as it is" => *host,
            "a call each" => host.without_vectors(),
            _ => HostMemory::plain(),
        };
        (what, arena)
    })
}

fn overflows(arena: &mut Arena) -> bool {
    #[allow(unconditional_recursion)]
    fn recurse(n: u64) -> u64 {
        let ballast = std::hint::black_box([n; 32]);
        recurse(n + 1) + ballast[7]
    }
    let came = life(arena, |_| exited(recurse(0) as i32));
    matches!(came, Came::Faulted(fault) if fault.what == super::super::fault::FaultKind::StackOverflow)
}

#[test]
fn the_stack_last_given_back_is_the_next_taken() {
    let mut arena = arena();
    let [a, b, c] = [(); 3].map(|()| arena.take().unwrap());
    let (base_a, base_c) = (a.base(), c.base());
    arena.give_back(a);
    arena.give_back(c);
    assert_eq!(arena.in_use(), 1);
    let [first, second] = [(); 2].map(|()| arena.take().unwrap());
    assert_eq!((first.base(), second.base()), (base_c, base_a));
    assert_eq!(arena.touched(), 3);
    for stack in [first, second, b] {
        arena.give_back(stack);
    }
    assert_eq!(arena.in_use(), 0);
}

#[test]
fn neighbours_have_twelve_colours() {
    let mut arena = arena();
    let stacks: Vec<Stack> = (0..13).map(|_| arena.take().unwrap()).collect();
    let mut offsets: Vec<usize> = stacks.iter().map(|stack| stack.base().get() % 4096).collect();
    assert_eq!(offsets[0], offsets[12]);
    offsets.pop();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets.len(), 12);
    // The last word of the stack and the first of the head share a cache line.
    assert!(stacks.iter().all(|stack| stack.base().get() % 64 == 16));
    stacks.into_iter().for_each(|stack| arena.give_back(stack));
}

#[test]
fn there_are_as_many_stacks_as_slots() {
    let mut arena = Arena::new(STACK, 2).unwrap();
    let [a, b] = [(); 2].map(|()| arena.take().unwrap());
    assert!(arena.take().is_none());
    arena.give_back(a);
    let a = arena.take().unwrap();
    arena.abandon(b);
    arena.give_back(a);
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 1));
    let _a = arena.take().unwrap();
    assert!(arena.take().is_none(), "an abandoned stack is never used again");
}

#[test]
fn beyond_the_reserve_memory_goes_back_and_guards_stay() {
    for (what, mut arena) in arenas(4, 1) {
        let [a, b] = [(); 2].map(|()| arena.take().unwrap());
        touch(&a, 7);
        touch(&b, 7);
        arena.give_back(a);
        arena.give_back(b);
        let [hot, cold] = [(); 2].map(|()| arena.take().unwrap());
        assert_eq!((top_byte(&hot), top_byte(&cold)), (7, 0), "{what}");
        arena.abandon(hot);
        arena.give_back(cold);
        assert_eq!(arena.touched(), 2);
        assert!(overflows(&mut arena), "{what}");
        assert_eq!(arena.touched(), 2, "the overflow was on the stack whose memory went back");
    }
}

#[test]
fn memory_stays_for_as_many_as_are_in_use_and_the_reserve() {
    const COUNT: usize = 4000;
    for (what, mut arena) in arenas(COUNT, 10) {
        let mut stacks: Vec<Stack> = (0..COUNT).map(|_| arena.take().unwrap()).collect();
        stacks.iter().for_each(|stack| touch(stack, 7));
        // In an order that is neither that of the slots nor its reverse.
        stacks.sort_by_key(|stack| (stack.base().get() * 7919) % 10_007);
        let mut most = 0;
        while let Some(stack) = stacks.pop() {
            arena.give_back(stack);
            assert!(arena.hot() <= stacks.len() + 10, "{what}");
            most = most.max(arena.hot());
        }
        assert_eq!((arena.in_use(), arena.hot()), (0, 10), "{what}");
        assert!(most > COUNT / 2, "{what}");
        let again: Vec<Stack> = (0..COUNT).map(|_| arena.take().unwrap()).collect();
        let kept = again.iter().filter(|stack| top_byte(stack) == 7).count();
        let zero = again.iter().filter(|stack| top_byte(stack) == 0).count();
        assert_eq!((kept, zero), (10, COUNT - 10), "{what}");
        again.into_iter().for_each(|stack| arena.give_back(stack));
    }
}

#[test]
fn slots_made_ready_ahead_have_guards_and_are_few() {
    const COUNT: usize = 1000;
    for (what, mut arena) in arenas(COUNT + 100, 0) {
        let stacks: Vec<Stack> = (0..COUNT).map(|_| arena.take().unwrap()).collect();
        let ahead = arena.touched() - COUNT;
        assert!(ahead <= if what == "as it is" { 32 } else { 0 }, "{what}: {ahead}");
        assert!(stacks.is_sorted_by_key(|stack| stack.base().get() / 4096), "{what}");
        for _ in 0..100 {
            assert!(overflows(&mut arena), "{what}");
        }
        assert!(arena.take().is_none(), "{what}: the last slots are used too");
        assert_eq!(arena.touched(), COUNT + 100, "{what}");
        stacks.into_iter().for_each(|stack| arena.give_back(stack));
    }
}

#[test]
fn a_reserve_without_bound_keeps_all() {
    let mut arena = Arena::with_reserve(STACK, 4, usize::MAX).unwrap();
    let stacks = [(); 4].map(|()| arena.take().unwrap());
    stacks.into_iter().for_each(|stack| arena.give_back(stack));
    arena.trim();
    assert_eq!((arena.hot(), arena.touched()), (4, 4));
}

#[test]
fn a_trim_forgets_the_free_slots_at_the_end() {
    for (what, mut arena) in arenas(8, 1) {
        let mut stacks: Vec<Stack> = (0..6).map(|_| arena.take().unwrap()).collect();
        stacks.iter().for_each(|stack| touch(stack, 7));
        let held = stacks.remove(2);
        stacks.into_iter().rev().for_each(|stack| arena.give_back(stack));
        arena.trim();
        assert_eq!((arena.touched(), top_byte(&held)), (3, 7), "those below a held one stay");
        let again: Vec<Stack> = (0..7).map(|_| arena.take().unwrap()).collect();
        assert!(arena.take().is_none(), "all slots are used again");
        let hot = again.iter().filter(|stack| top_byte(stack) != 0).count();
        assert_eq!(hot, 2, "{what}: as many as in use, and the reserve");
        again.into_iter().for_each(|stack| arena.give_back(stack));
        arena.give_back(held);
        arena.trim();
        assert_eq!(arena.touched(), 1, "the reserve stays");
        let below = arena.take().unwrap();
        assert!(overflows(&mut arena), "a slot that is used anew has a guard, {what}");
        arena.give_back(below);
    }
}

#[test]
fn the_hosts_limit_on_mappings_is_no_stack_rather_than_a_crash() {
    let Ok(text) = std::fs::read_to_string("/proc/sys/vm/max_map_count") else { return };
    let limit: usize = text.trim().parse().unwrap();
    if limit > 1 << 20 {
        return;
    }
    let mut arena = Arena::new(8 * 1024, limit).unwrap();
    *arena.host() = HostMemory::plain();
    let mut stacks = Vec::new();
    while let Some(stack) = arena.take() {
        stacks.push(stack);
    }
    assert!(stacks.len() < limit / 2 && stacks.len() > limit / 4, "{}", stacks.len());
    assert_eq!(arena.touched(), stacks.len());
    // A thread maps a stack of its own.
    #[allow(clippy::disallowed_methods)]
    let thread = std::thread::spawn(|| ());
    thread.join().unwrap();
    stacks.into_iter().for_each(|stack| arena.give_back(stack));
    assert!(arena.take().is_some());
}

#[test]
fn absurd_sizes_are_an_error() {
    assert!(Arena::new(usize::MAX, 1).is_err());
    assert!(Arena::new(usize::MAX / 2, 4).is_err());
    assert!(Arena::new(STACK, usize::MAX).is_err());
    assert!(Arena::new(1 << 40, 1 << 20).is_err());
}

#[test]
fn a_hundred_thousand_live_processes() {
    const COUNT: usize = 100_000;
    let mut arena = Arena::new(STACK, COUNT).unwrap();
    if arena.host().most_guards() < COUNT {
        return;
    }
    let mut natives: Vec<Native> = (0..COUNT)
        .map(|i| {
            start(&mut arena, move |gate| {
                let answer = trap(gate);
                assert_eq!(answer, Resume::Number(i as u64));
                exited(i as i32)
            })
        })
        .collect();
    for native in &mut natives {
        assert!(matches!(native.resume(), Came::Trapped));
    }
    assert_eq!(arena.in_use(), COUNT);
    for (i, native) in natives.iter_mut().enumerate() {
        native.frame().resume = Resume::Number(i as u64);
    }
    for (i, mut native) in natives.into_iter().enumerate() {
        assert!(matches!(native.resume(), Came::Ended(status) if status == exited(i as i32)));
        native.finish(&mut arena);
    }
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 0));
}
