// SPDX-License-Identifier: MIT
// Leaks of the shapes that Rust programs have. It makes them, says "ready", and ends with its standard input.
use std::collections::HashMap;
use std::mem::forget;

// Loses it, after a look at it: without one, the compiler need not allocate at all.
#[inline(always)]
fn lose(bytes: Vec<u8>) {
    unsafe { std::ptr::read_volatile(bytes.as_ptr()) };
    forget(bytes);
}

struct Store<T> {
    held: HashMap<u64, Vec<T>>,
}

impl<T> Store<T> {
    #[inline(never)]
    fn remember(&mut self, key: u64, value: T) {
        self.held.entry(key).or_insert_with(Vec::new).push(value); // line: remember
    }
}

trait Shape {
    fn draw(&self) -> Box<[u8]>;
}

struct Circle;

impl Shape for Circle {
    #[inline(never)]
    fn draw(&self) -> Box<[u8]> {
        vec![1u8; 5432].into_boxed_slice() // line: draw
    }
}

mod planted {
    #[inline(never)]
    pub fn forgotten() {
        super::lose(vec![7u8; 3210]); // line: forgotten
    }
}

#[inline(never)]
fn in_a_closure() {
    let make = |size: usize| vec![2u8; size]; // line: in_a_closure
    (0..3).map(|_| make(1900)).for_each(lose);
}

fn main() {
    let mut store = Store { held: HashMap::new() };
    for i in 0..700u64 {
        store.remember(i % 7, [i; 9]);
    }
    let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Circle)];
    shapes.iter().for_each(|one| forget(one.draw()));
    planted::forgotten();
    std::thread::spawn(in_a_closure).join().unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    forget(store);
}
