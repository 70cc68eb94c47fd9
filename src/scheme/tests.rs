use expect_test::{Expect, expect};

use super::*;
use crate::syntax::{SyntaxLimits, parse};

/// A host without anything.
struct Alone;

impl Host for Alone {
    type Error = String;

    fn global(&mut self, _: &[u8], _: &mut Heap) -> Option<Value> {
        None
    }

    fn call(&mut self, _: HostValue, _: &Call<'_>, _: &mut Heap) -> Result<Outcome, Failure<String>> {
        Ok(Outcome::Value(Value::Nil))
    }

    fn text_ended(&mut self, _: u32, _: &mut Heap) {}

    fn describe(&self, _: Value) -> Option<String> {
        None
    }
}

const LIMITS: MachineLimits = MachineLimits { steps: 3_000_000, heap_bytes: 256 << 20, depth: 1_000_000 };

fn run(text: &str) -> String {
    let mut machine = Machine::with_library(Alone, LIMITS).unwrap();
    let parsed = parse(text.as_bytes(), &SyntaxLimits::default());
    assert_eq!(parsed.errors, []);
    let forms = read(&mut machine.heap, &parsed.tree, SourceId(0));
    match machine.run(forms) {
        Ok(value) => String::from_utf8(machine.write(value, true, 1000)).unwrap(),
        Err(error) => format!("error: {}", error.kind),
    }
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&run(text));
}

#[test]
fn special_forms() {
    check("(define (f a . r) (list a r)) (f 1 2 3)", expect!["(1 (2 3))"]);
    check("(define (f)) (f)", expect!["()"]);
    check("((lambda (a) a) 1 2 3)", expect!["1"]);
    check("((lambda (a b) a) 1)", expect!["error: not enough arguments"]);
    check("(if '() 1 2)", expect!["1"]);
    check("(list (if #f 1) (if #t) (cond (#f 1)) (when #f 1) (unless #t 1))", expect!["(() () () () ())"]);
    check("(list (and) (or) (and 1 2) (or #f 3) (and 1 #f 2))", expect!["(#t #f 2 3 #f)"]);
    check("(cond ((assv 2 '((1 a) (2 b))) => cadr) (else 0))", expect!["b"]);
    check("(case 3 ((1 2) 'low) ((3 4) 'high) (else 'none))", expect!["high"]);
    check("(let loop ((i 0) (acc '())) (if (< i 3) (loop (+ i 1) (cons i acc)) acc))", expect!["(2 1 0)"]);
    check("(letrec ((s \"\")) (set! s \"x\") s)", expect![[r#""x""#]]);
    check("(do ((i 0 (+ i 1)) (s 0 (+ s i))) ((= i 4) s))", expect!["6"]);
    check("(force (cdr (cons-stream 1 (+ 1 1))))", expect!["2"]);
    check("(set! nowhere 1)", expect!["error: set!: unbound variable: nowhere"]);
    check("(nowhere 1)", expect!["error: unbound variable: nowhere"]);
    check("(1 2)", expect!["error: illegal function"]);
    check("(when #t (define x 1)) x", expect!["1"]);
}

/// `spec/sbpl-language.md` section 16, cases 17, 23 to 27 and 36a, as far as they are Scheme.
#[test]
fn quirks_that_profiles_rely_on() {
    // 25: bindings of let* see themselves.
    check("(let* ((a 1) (f (lambda (n) (if (= n 0) a (f (- n 1)))))) (f 3))", expect!["1"]);
    // 26
    check("(if '() 1 2)", expect!["1"]);
    // 27: the macro gets its own name in the form.
    check("(macro (m form) `(let ((x 5)) ,@form)) (define (g) 1) (m x)", expect!["5"]);
    // 23
    check("(if (defined? 'x) (x 1))", expect!["()"]);
    check("(if (defined? `car) 1 2)", expect!["1"]);
    // 36a
    check("(let ((x 1)) (eval 'x))", expect!["1"]);
    check("(define x 2) (let ((x 1)) (eval 'x (interaction-environment)))", expect!["2"]);
    check("(append '(1))", expect!["((1))"]);
    check("(append '(1) '(2) 3)", expect!["(1 2 . 3)"]);
    check("(append)", expect!["()"]);
}

#[test]
fn quasiquote_nests_and_splices() {
    check("`(1 ,(+ 1 1) ,@(list 3 4) . ,(+ 2 3))", expect!["(1 2 3 4 . 5)"]);
    check("`(1 `(2 ,(3 ,(+ 1 3))))", expect!["(1 `(2 ,(3 4)))"]);
    check("`#(1 ,(+ 1 1))", expect!["#(1 2)"]);
    check("`x", expect!["x"]);
    check("(define l '(a b)) `(,@l)", expect!["(a b)"]);
}

#[test]
fn macros_and_control() {
    check("(define-macro (swap a b) `(list ,b ,a)) (swap 1 2)", expect!["(2 1)"]);
    check("(+ 1 (call/cc (lambda (k) (+ 10 (k 1)))))", expect!["2"]);
    check(
        "(define k #f) (define n 0) (define r (+ 1 (call/cc (lambda (c) (set! k c) 1)))) (set! n (+ n 1)) (if (< n 3) (k n)) (list n r)",
        expect!["(3 3)"],
    );
    check("(catch 'caught (car 1))", expect!["caught"]);
    check("(catch 'caught 7)", expect!["7"]);
    check("(apply + 1 2 '(3 4))", expect!["10"]);
    check("(map + '(1 2) '(10 20 30))", expect!["(11 22)"]);
    check("(map (lambda (x) (* x x)) '(1 2 3))", expect!["(1 4 9)"]);
    check("(filter odd? '(1 2 3))", expect!["(1 3)"]);
    check("(flatten '(1 (2 (3)) () 4))", expect!["(1 2 3 4)"]);
    check("(read (open-input-string \"(allow x) y\"))", expect!["(allow x)"]);
    check("(error \"bad:\" '(1 \"x\") 'y)", expect![[r#"error: bad: (1 "x") y"#]]);
    check("(cond-expand (srfi-0 1) (else 2))", expect!["1"]);
}

#[test]
fn builtins_check_their_arguments() {
    check("(string-append \"a\" #f)", expect!["error: string-append: argument 2 must be: string"]);
    check("(string-length #f)", expect!["error: string-length: argument 1 must be: string"]);
    check("(car '())", expect!["error: car: argument 1 must be: pair"]);
    check("(cons 1)", expect!["error: cons: needs 2 argument(s)"]);
    check("(substring \"abc\" 1 9)", expect!["error: substring: end out of bounds"]);
    check(
        "(list (substring \"abc\" 1) (substring \"abc\" 0 2) (string-ref \"abc\" 1))",
        expect![[r##"("bc" "ab" #\b)"##]],
    );
    check("(list (quotient -7 2) (modulo -7 2) (remainder -7 2) (/ 6 3) (/ 1 2))", expect!["(-3 1 -1 2 0.5)"]);
    check(
        "(list (string->number \"ff\" 16) (number->string 10 2) (string->number \"x\"))",
        expect![[r#"(255 "1010" #f)"#]],
    );
    check("(equal? '(1 \"a\" #(2)) (list 1 \"a\" (vector 2)))", expect!["#t"]);
}

#[test]
fn every_run_ends() {
    check("(define (f) (f)) (f)", expect!["error: the profile runs for more than 3000000 steps"]);
    check("(define (f) (+ 1 (f))) (f)", expect!["error: calls are nested deeper than 1000000"]);
    check(
        "(define (g s) (g (string-append s s))) (g \"x\")",
        expect!["error: the profile needs more than 268435456 bytes of memory"],
    );
    check("(define l (list 1)) (set-cdr! l l) (length l)", expect!["error: length: argument 1 must be: list"]);
    check("(define l (list 1)) (set-cdr! l l) (equal? l (list 1 1))", expect!["#f"]);
    check(
        "(define l (list 1)) (set-cdr! l l) (eval (cons + l))",
        expect!["error: calls are nested deeper than 1000000"],
    );
    check(
        "(define l (list 1)) (set-cdr! l l) (list-tail l 1000000000000)",
        expect!["error: list-tail: index out of range"],
    );
    check("(make-string 100000000000)", expect!["error: the profile needs more than 268435456 bytes of memory"]);
}

#[test]
fn long_and_deep_data_are_freed_without_recursion() {
    check("(define (f n l) (if (= n 0) l (f (- n 1) (cons n l)))) (length (f 100000 '()))", expect!["100000"]);
    check("(define (f n l) (if (= n 0) l (f (- n 1) (list l)))) (define x (f 100000 '())) (equal? x x)", expect!["#t"]);
    let mut heap = Heap::new(1 << 30);
    let mut list = Value::Nil;
    for _ in 0..1_000_000 {
        list = heap.cons(Value::Nil, list);
    }
    assert_eq!(heap.length(list), Some(1_000_000));
}
