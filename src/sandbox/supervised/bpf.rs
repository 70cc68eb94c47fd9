//! The filter that hands calls to the supervisor, as a program of the kernel's classic BPF.
//!
//! Calls are found by halving, so that a call that passes costs few steps. Calls of another machine (32-bit, x32) are refused.
//!
//! **Invariants:** the program is made of the table alone; every path through it ends in a return.

use super::table::{CALLS, Call, Gate, Machine, Treatment, unknown};

/// One instruction, laid out as the kernel's `sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when the test holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// `SECCOMP_RET_ALLOW`.
pub const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_USER_NOTIF`.
pub const NOTIFY: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_ERRNO`; the number is in the low half.
pub const ERRNO: u32 = 0x0005_0000;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const X32_BIT: u32 = 0x4000_0000;

const PROT_EXEC: u32 = 4;
const MAP_ANONYMOUS: u32 = 0x20;
const CLONE_THREAD: u32 = 0x0001_0000;
const CLONE_NEW: u32 = 0x7e02_0000;
const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

const fn test(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

const fn low(argument: u8) -> Instruction {
    plain(LOAD, 16 + 8 * argument as u32)
}

const fn high(argument: u8) -> Instruction {
    plain(LOAD, 20 + 8 * argument as u32)
}

/// The filter for `machine`.
pub fn program(machine: Machine) -> Vec<Instruction> {
    let mut rows: Vec<(u32, &Call)> =
        CALLS.iter().filter_map(|call| Some((u32::from(call.number(machine)?), call))).collect();
    // Stable: rows of one number keep their order.
    rows.sort_by_key(|(number, _)| *number);
    let mut leaves: Vec<(u32, Vec<Instruction>)> = Vec::new();
    for (number, call) in rows {
        let block = block(call);
        match leaves.last_mut().filter(|(last, _)| *last == number) {
            Some((_, blocks)) => blocks.extend(block),
            None => leaves.push((number, block)),
        }
    }
    let mut program = vec![
        plain(LOAD, ARCH),
        test(EQUAL, machine.audit(), 1, 0),
        plain(RETURN, ERRNO | EPERM),
        plain(LOAD, NUMBER),
        test(AT_LEAST, X32_BIT, 0, 1),
        plain(RETURN, ERRNO | EPERM),
    ];
    for (first, last) in unknown(machine) {
        program.push(test(AT_LEAST, *first, 0, if *last == u32::MAX { 1 } else { 2 }));
        if *last != u32::MAX {
            program.push(test(AT_LEAST, last + 1, 1, 0));
        }
        program.push(plain(RETURN, ERRNO | ENOSYS));
    }
    program.extend(search(&leaves));
    program
}

/// Finds the number among `leaves`. As deep as the logarithm of their count.
fn search(leaves: &[(u32, Vec<Instruction>)]) -> Vec<Instruction> {
    match leaves {
        [] => vec![plain(RETURN, ALLOW)],
        [(number, block)] => {
            // A block is a handful of instructions: it fits the short jump.
            let skip = u8::try_from(block.len()).unwrap_or(u8::MAX);
            let mut code = vec![test(EQUAL, *number, 0, skip)];
            code.extend_from_slice(block);
            code.push(plain(RETURN, ALLOW));
            code
        }
        _ => {
            let (below, above) = leaves.split_at(leaves.len() / 2);
            let pivot = above.first().map_or(0, |(number, _)| *number);
            let (below, above) = (search(below), search(above));
            let mut code = vec![test(AT_LEAST, pivot, 0, 1), plain(JUMP, below.len() as u32)];
            code.extend(below);
            code.extend(above);
            code
        }
    }
}

/// What is done when the number is found; where the gate is shut it runs on behind its last instruction.
fn block(call: &Call) -> Vec<Instruction> {
    let verdict = plain(
        RETURN,
        match call.treatment {
            Treatment::Done(_) | Treatment::Judged(_) => NOTIFY,
            Treatment::Absent => ERRNO | ENOSYS,
            Treatment::Refused => ERRNO | EPERM,
            Treatment::Ignored => ERRNO,
        },
    );
    match call.gate {
        Gate::Always => vec![verdict],
        Gate::Bits(argument, mask) => vec![low(argument), test(ANY_BIT, mask, 0, 1), verdict],
        Gate::Is(argument, value) => vec![low(argument), test(EQUAL, value, 0, 1), verdict],
        Gate::NotZero(argument) => {
            vec![low(argument), test(EQUAL, 0, 0, 2), high(argument), test(EQUAL, 0, 1, 0), verdict]
        }
        Gate::MapsCode => {
            vec![low(2), test(ANY_BIT, PROT_EXEC, 0, 3), low(3), test(ANY_BIT, MAP_ANONYMOUS, 1, 0), verdict]
        }
        Gate::MakesProcess => {
            vec![low(0), test(ANY_BIT, CLONE_NEW, 1, 0), test(ANY_BIT, CLONE_THREAD, 1, 0), verdict]
        }
        Gate::ReadImpliesExec => {
            vec![low(0), test(EQUAL, u32::MAX, 2, 0), test(ANY_BIT, READ_IMPLIES_EXEC, 0, 1), verdict]
        }
        Gate::OtherFamily => {
            vec![low(0), test(EQUAL, AF_UNIX, 3, 0), test(EQUAL, AF_INET, 2, 0), test(EQUAL, AF_INET6, 1, 0), verdict]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel does.
    fn run(program: &[Instruction], arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let mut accumulator = 0u32;
        let mut at = 0;
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |holds: bool| at += usize::from(if holds { jt } else { jf });
            match code {
                LOAD => {
                    accumulator = match k {
                        NUMBER => number,
                        ARCH => arch,
                        _ => {
                            let argument = args[(k as usize - 16) / 8];
                            if k % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
                        }
                    }
                }
                EQUAL => branch(accumulator == k),
                AT_LEAST => branch(accumulator >= k),
                ANY_BIT => branch(accumulator & k != 0),
                JUMP => at += k as usize,
                RETURN => return k,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn wanted(treatment: Treatment) -> u32 {
        match treatment {
            Treatment::Done(_) | Treatment::Judged(_) => NOTIFY,
            Treatment::Absent => ERRNO | 38,
            Treatment::Refused => ERRNO | 1,
            Treatment::Ignored => ERRNO,
        }
    }

    const MACHINES: [Machine; 2] = [Machine::X86_64, Machine::Aarch64];

    #[test]
    fn every_number_gets_what_its_row_says_and_others_pass() {
        for machine in MACHINES {
            let program = program(machine);
            assert!(program.len() < 4096);
            for number in 0..600 {
                let rows: Vec<&Call> =
                    CALLS.iter().filter(|call| call.number(machine).map(u32::from) == Some(number)).collect();
                let found = run(&program, machine.audit(), number, [0; 6]);
                let is_known = unknown(machine).iter().all(|(first, last)| number < *first || number > *last);
                match rows.as_slice() {
                    [] if !is_known => assert_eq!(found, ERRNO | 38, "{machine:?} {number}"),
                    rows if !is_known => panic!("{machine:?} {number}: {rows:?}"),
                    [] => assert_eq!(found, ALLOW, "{machine:?} {number}"),
                    [call] if call.gate == Gate::Always => {
                        assert_eq!(found, wanted(call.treatment), "{machine:?} {}", call.name);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn gates_look_at_the_arguments() {
        for machine in MACHINES {
            let program = program(machine);
            let ask = |name: &str, args: [u64; 6]| {
                let call = CALLS.iter().find(|call| call.name == name).unwrap();
                run(&program, machine.audit(), u32::from(call.number(machine).unwrap()), args)
            };
            assert_eq!(ask("mmap", [0, 4096, 5, 2, 3, 0]), NOTIFY);
            assert_eq!(ask("mmap", [0, 4096, 1, 2, 3, 0]), ALLOW);
            assert_eq!(ask("mmap", [0, 4096, 7, 0x22, 0, 0]), ALLOW);
            assert_eq!(ask("mprotect", [0, 4096, 5, 0, 0, 0]), NOTIFY);
            assert_eq!(ask("mprotect", [0, 4096, 3, 0, 0, 0]), ALLOW);
            assert_eq!(ask("clone", [17, 0, 0, 0, 0, 0]), NOTIFY);
            assert_eq!(ask("clone", [0x3d_0f00, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("clone", [0x3d_0f00 | 0x4000_0000, 0, 0, 0, 0, 0]), NOTIFY);
            assert_eq!(ask("sendto", [3, 1, 1, 0, 0, 0]), ALLOW);
            assert_eq!(ask("sendto", [3, 1, 1, 0, 1 << 40, 16]), NOTIFY);
            assert_eq!(ask("sendto", [3, 1, 1, 0, 8, 16]), NOTIFY);
            assert_eq!(ask("socket", [1, 1, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("socket", [10, 1, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("socket", [16, 3, 0, 0, 0, 0]), NOTIFY);
            assert_eq!(ask("personality", [0xffff_ffff, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("personality", [0x0004_0000, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("personality", [0x0040_0000, 0, 0, 0, 0, 0]), ERRNO | 1);
            assert_eq!(ask("prctl PR_SET_MM", [35, 0, 0, 0, 0, 0]), ERRNO | 1);
            assert_eq!(ask("prctl PR_SET_MM", [4, 0, 0, 0, 0, 0]), ERRNO);
            assert_eq!(ask("prctl PR_SET_MM", [38, 1, 0, 0, 0, 0]), ALLOW);
            assert_eq!(ask("fcntl F_SETOWN", [3, 8, 1, 0, 0, 0]), NOTIFY);
            assert_eq!(ask("fcntl F_SETOWN", [3, 15, 1, 0, 0, 0]), ERRNO | 1);
            assert_eq!(ask("fcntl F_SETOWN", [3, 1024, 1, 0, 0, 0]), ERRNO | 1);
            assert_eq!(ask("fcntl F_SETOWN", [3, 4, 1, 0, 0, 0]), ALLOW);
            assert_eq!(ask("prlimit64", [0, 7, 1, 0, 0, 0]), ALLOW);
            assert_eq!(ask("prlimit64", [1, 7, 1, 0, 0, 0]), NOTIFY);
        }
    }

    #[test]
    fn calls_of_other_machines_are_refused() {
        let program = program(Machine::X86_64);
        assert_eq!(run(&program, 0x4000_0003, 5, [0; 6]), ERRNO | 1);
        assert_eq!(run(&program, Machine::X86_64.audit(), X32_BIT | 2, [0; 6]), ERRNO | 1);
        assert_eq!(run(&program, Machine::Aarch64.audit(), 56, [0; 6]), ERRNO | 1);
    }
}
