//! Small blobs built by hand.

use super::*;

/// `(version 1)(deny default)(allow file-read* (literal "/a"))`-like: one pattern, allow, deny.
fn small() -> Program {
    let mut program = Program::new(Generation::Macos14);
    let deny = program.add_terminal(Terminal { flags: 5, modifiers: Vec::new() });
    let allow = program.add_terminal(Terminal::default());
    let pattern = program.add_pattern(crate::pattern::code::decode(b"\x41/a\x0f\x00\x0f\x0a").unwrap());
    let test = program.add_test(1, Argument::Pattern(pattern), allow, deny);
    let mut roots = vec![deny; 190];
    roots[21] = test;
    program.roots = Roots::Single(roots);
    program
}

/// Layout of a plain blob: header 14, op table 380, padding to 400, nodes, pool (spec/blob-format.md section 1).
#[test]
fn a_small_program_has_the_layout_of_14() {
    let bytes = encode(&small()).unwrap();
    assert_eq!(bytes.len(), 400 + 24 + 9);
    assert_eq!(bytes[..14], [0, 0, 3, 0, 190, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // default is the first node numbered, so it is the last of the array.
    assert_eq!(bytes[14..16], [2, 0]);
    assert_eq!(bytes[400..408], [0, 1, 0, 0, 1, 0, 2, 0]);
    assert_eq!(bytes[408..416], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[416..424], [1, 5, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn linking_and_encoding_again_gives_the_same_bytes() {
    let bytes = encode(&small()).unwrap();
    let blob = Blob::parse(&bytes, &Options::default()).unwrap();
    assert_eq!(blob.header().generation, Generation::Macos14);
    assert_eq!(encode(&blob.program().unwrap()).unwrap(), bytes);
}

/// A terminal takes its number before its message-filter programs (spec/codegen-rules.md section 7.3).
#[test]
fn a_terminal_is_numbered_before_its_policies() {
    let mut program = Program::new(Generation::Macos14);
    program.type_bits = TYPE_MESSAGE_FILTER;
    let deny = program.add_terminal(Terminal { flags: 5, modifiers: Vec::new() });
    let allow = program.add_terminal(Terminal::default());
    let inner = program.add_test(71, Argument::Integer(7), deny, allow);
    let policy = program.add_policy(inner);
    let modifier = Modifier { id: 19, operation: 194, argument: ModifierArgument::Policy(policy) };
    let filtered = program.add_terminal(Terminal { flags: 0, modifiers: vec![modifier] });
    let mut roots = vec![deny; 190];
    roots[88] = filtered;
    program.roots = Roots::Single(roots);
    let bytes = encode(&program).unwrap();
    let blob = Blob::parse(&bytes, &Options::default()).unwrap();
    assert_eq!(blob.op_table(0).nth(88), Some(2));
    assert_eq!(blob.table(Table::Policies).collect::<Vec<_>>(), [0]);
    assert_eq!(encode(&blob.program().unwrap()).unwrap(), bytes);
}

#[test]
fn a_cycle_is_refused_when_writing_and_when_reading() {
    let mut program = small();
    program.nodes[2] = ProgramNode::Test {
        filter: 1,
        argument: Argument::Pattern(PatternId(0)),
        matched: NodeId(2),
        unmatched: NodeId(0),
    };
    assert_eq!(encode(&program), Err(EncodeError::Cycle { node: 2 }));

    let mut bytes = encode(&small()).unwrap();
    bytes[404] = 0;
    let error = Blob::parse(&bytes, &Options::default()).unwrap().program().unwrap_err();
    assert_eq!(error, BlobError::Cycle { index: 0 });
}

/// A file that was cut off is exhausted, not invalid; text is named as text.
#[test]
fn short_files_and_text_are_told_apart() {
    let bytes = encode(&small()).unwrap();
    let parse = |bytes: &[u8]| Blob::parse(bytes, &Options::default()).map(|_| ());
    assert!(matches!(parse(&bytes[..410]), Err(BlobError::Exhausted { what: "nodes", .. })));
    assert!(matches!(parse(&bytes[..3]), Err(BlobError::Exhausted { what: "the header", .. })));
    assert_eq!(parse(b"(version 1)\n(deny default)\n"), Err(BlobError::Text { what: "SBPL text" }));
    assert_eq!(parse(b"0000 0700 be00\n"), Err(BlobError::Text { what: "hexadecimal text" }));
}

/// A program without nodes would be a blob that nobody reads (found by fuzzing).
#[test]
fn a_program_without_nodes_is_refused() {
    let mut program = Program::new(Generation::Macos14);
    program.op_count = 0;
    program.roots = Roots::Single(Vec::new());
    assert!(matches!(encode(&program), Err(EncodeError::Unsupported { .. })));
}

/// A pattern may lie in the bytes of a string, but then the string must be one (found by fuzzing).
#[test]
fn a_record_of_two_kinds_is_checked_as_both() {
    let mut program = small();
    program.states.names = vec![b"abcde".to_vec()];
    let mut bytes = encode(&program).unwrap();
    let table = usize::from(bytes[2]) * 8;
    let pool = (14 + 2 + 380_usize).next_multiple_of(8) + table;
    assert_eq!(bytes[14..16], [2, 0]);
    bytes[14] = 0;
    bytes.truncate(pool + 9);
    for mode in [Mode::Strict, Mode::Permissive] {
        assert!(!validate(&bytes, &Options::default(), mode).unwrap().valid);
    }
}

/// A message of the table that no terminal names is written too (found by fuzzing): its slot led to another record.
#[test]
fn a_message_that_nothing_names_is_written() {
    let mut program = Program::new(Generation::Macos10_15);
    let deny = program.add_terminal(Terminal { flags: 5, modifiers: Vec::new() });
    let allow = program.add_terminal(Terminal::default());
    let pattern = program.add_pattern(crate::pattern::code::decode(b"\x41/a\x0f\x00\x0f\x0a").unwrap());
    let test = program.add_test(1, Argument::Pattern(pattern), allow, deny);
    program.op_count = 145;
    program.roots = Roots::Single(vec![test; 145]);
    program.messages = vec![b"not named".to_vec(), b"neither".to_vec()];
    let bytes = encode(&program).unwrap();
    let options = Options { generation: Some(Generation::Macos10_15), ..Options::default() };
    let read = Blob::parse(&bytes, &options).unwrap().program().unwrap();
    assert_eq!(read.messages, program.messages);
    assert_eq!(encode(&read).unwrap(), bytes);
}
