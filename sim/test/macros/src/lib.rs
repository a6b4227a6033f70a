//! The attribute of `stormproof-test`, which documents it.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Makes a test of a function that takes a `World`: it is simulated under many seeds.
///
/// What may stand in the parentheses, each at most once: `seeds = 500`, `first = 0`, `seconds = 10`,
/// `clients = 5`, `crashes = false`, `faults = true`, `fault_kinds = "no-space,write-fails"`,
/// `strategies = "pct,windows"`, `durability = "batched"`, `any_durability = true`,
/// `store_bug = "SkipReadValidation"`, `check = true`, `hang_seconds = 5`. They are the methods of
/// `stormproof_test::Options`.
#[proc_macro_attribute]
pub fn simulation(settings: TokenStream, function: TokenStream) -> TokenStream {
    expand(settings, function).unwrap_or_else(|message| {
        format!("::core::compile_error!({message:?});").parse().expect("a string literal is Rust")
    })
}

fn expand(settings: TokenStream, function: TokenStream) -> Result<TokenStream, String> {
    let calls = calls(settings)?;
    let tokens: Vec<TokenTree> = function.into_iter().collect();
    let at = tokens
        .iter()
        .position(|token| matches!(token, TokenTree::Ident(ident) if ident.to_string() == "fn"))
        .ok_or("#[simulation] stands before a function")?;
    let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
        return Err("#[simulation] stands before a function with a name".into());
    };
    let Some(TokenTree::Group(arguments)) = tokens.get(at + 2) else {
        return Err("a simulated function has no type parameters".into());
    };
    if arguments.delimiter() != Delimiter::Parenthesis || arguments.stream().is_empty() {
        return Err("a simulated function takes a World: write `fn name(world: World)`".into());
    }
    if tokens[..at]
        .iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if ident.to_string() == "async"))
    {
        return Err("a simulated function is not async: wait with stormproof_test::block_on in it".into());
    }
    // Attributes and the visibility stay with the test, the rest is a function inside of it.
    let outside: TokenStream = tokens[..at].iter().cloned().collect();
    let inside: TokenStream = tokens[at..].iter().cloned().collect();
    let body: TokenStream = format!(
        "::stormproof_test::simulate(\
             ::stormproof_test::Options::new(::core::concat!(::core::module_path!(), \"::{name}\"))\
                 .manifest_dir(::core::env!(\"CARGO_MANIFEST_DIR\")){calls}, {name});"
    )
    .parse()
    .map_err(|error| format!("{error}"))?;
    let block = Group::new(Delimiter::Brace, [inside, body].into_iter().collect());
    let head: TokenStream = format!("fn {name}()").parse().map_err(|error| format!("{error}"))?;
    let test: TokenStream = "#[::core::prelude::v1::test]".parse().map_err(|error| format!("{error}"))?;
    Ok([test, outside, head, TokenStream::from(TokenTree::Group(block))].into_iter().collect())
}

/// Returns the settings as calls of methods.
fn calls(settings: TokenStream) -> Result<String, String> {
    let mut calls = String::new();
    let mut tokens = settings.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(name) = token else {
            return Err(format!("`{token}` is no setting: write them as in `seeds = 500, faults = true`"));
        };
        let name = name.to_string();
        if !SETTINGS.contains(&name.as_str()) {
            return Err(format!("there is no setting `{name}`: there are {}", SETTINGS.join(", ")));
        }
        match tokens.next() {
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {}
            _ => return Err(format!("`{name}` needs a value: write `{name} = …`")),
        }
        let mut value = String::new();
        while let Some(token) = tokens.next_if(|token| !is_comma(token)) {
            value += &token.to_string();
        }
        if value.is_empty() {
            return Err(format!("`{name}` needs a value: write `{name} = …`"));
        }
        calls += &format!(".{name}({value})");
        tokens.next();
    }
    Ok(calls)
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

const SETTINGS: &[&str] = &[
    "seeds",
    "first",
    "seconds",
    "crashes",
    "faults",
    "fault_kinds",
    "clients",
    "strategies",
    "any_durability",
    "durability",
    "store_bug",
    "check",
    "hang_seconds",
];
