use model::{Masked, Sensitive};
use proptest::prelude::*;

use super::mask;

/// What remains of a text, with every recogniser at work; the text itself when nothing was masked.
fn masked(text: &str) -> String {
    mask(text, &Sensitive::ALL).map_or_else(|| text.to_owned(), |cleaned| cleaned.text)
}

#[test]
fn values_are_replaced_by_their_kind() {
    let table = [
        // Cards: test numbers that the networks publish.
        ("My card is 4111 1111 1111 1111, thanks", "My card is [card], thanks"),
        ("5555555555554444", "[card]"),
        ("3782-822463-10005 is my Amex", "[card] is my Amex"),
        ("order 12 4111 1111 1111 1111 12/27", "order 12 [card] 12/27"),
        ("６０１１１１１１１１１１１１１７", "[card]"),
        ("4111 - 1111 - 1111 - 1111", "[card]"),
        ("4111.1111.1111.1111 and 5105105105105100", "[card] and [card]"),
        ("カード番号は4111111111111111です", "カード番号は[card]です"),
        ("번호는 4111-1111-1111-1111입니다", "번호는 [card]입니다"),
        ("４１１１　１１１１　１１１１　１１１１", "[card]"),
        ("４１１１ー１１１１－１１１１−１１１１", "[card]"),
        ("๔๑๑๑ ๑๑๑๑ ๑๑๑๑ ๑๑๑๑", "[card]"),
        ("\u{202a}4111\u{200b}1111\u{2007}1111\u{ad}1111\u{202c}", "\u{202a}[card]\u{202c}"),
        ("**4111 1111 1111 1111** or `5555555555554444`", "**[card]** or `[card]`"),
        // IBANs: examples of the registry.
        ("DE89 3704 0044 0532 0130 00 please", "[iban] please"),
        ("gb29nwbk60161331926819", "[iban]"),
        ("to NO93 8601 1117 947.", "to [iban]."),
        ("口座はDE89370400440532013000です", "口座は[iban]です"),
        // E-mail.
        ("write to Ann.O'Neil+x@mail.example.co.uk.", "write to [email]."),
        ("jürgen@bücher.example", "[email]"),
        ("メールはann+news@mail.exampleです", "メールは[email]です"),
        ("mailto:ann@xn--bcher-kva.xn--p1ai?subject=x", "mailto:[email]?subject=x"),
        ("max@a.example_mia@b.example", "[email][email]"),
        // Telephones.
        ("+49 (0) 30 1234567", "[phone]"),
        ("call 0049 30 1234567 or 030/1234567", "call [phone] or [phone]"),
        ("030 1234567 4111 1111 1111 1111", "[phone] [card]"),
        ("(555) 010-9999", "[phone]"),
        ("555-010-9999!", "[phone]!"),
        ("+1 415 555 0100", "[phone]"),
        ("電話は03-1234-5678です", "電話は[phone]です"),
        ("01.02.2026 030 1234567", "01.02.2026 [phone]"),
        ("01.23.45.67.89", "[phone]"),
        // Tokens.
        ("key sk-proj-abcdefghij0123456789", "key [token]"),
        ("AKIAIOSFODNN7EXAMPLE", "[token]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjLTk5MSJ9.c2lnbmF0dXJlLW9mLWl0.", "[token]."),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nthere", "[token]\nthere"),
        ("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF", "[token]"),
        ("API_KEY=sk-proj-abcdefghij0123456789", "API_KEY=[token]"),
        (
            "https://a.example/in?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjLTk5MSJ9.c2lnbmF0dXJlLW9m&x=1",
            "https://a.example/in?token=[token]&x=1",
        ),
        ("https://a.example/in/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjLTk5MSJ9.c2lnbmF0dXJl", "https://a.example/in/[token]"),
        (
            "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nand -----BEGIN PRIVATE KEY-----\nMIJ",
            "[token]\nand [token]",
        ),
        // Several kinds at once, each once.
        ("a@b.example 4111111111111111 DE89370400440532013000", "[email] [card] [iban]"),
    ];
    for (text, expected) in table {
        assert_eq!(masked(text), expected, "{text}");
    }
}

#[test]
fn what_only_looks_like_one_stays() {
    let table = [
        "",
        "hello",
        "4111 1111 1111 1112",
        "order 41111111111111111111111",
        "1234567890123452",
        "A4111111111111111",
        "5b0a3a3e-5a3c-4f0e-9a55-0d3f5d1f6a01",
        "DE88 3704 0044 0532 0130 00",
        "FR14",
        "me@home",
        "@example.com",
        "a@.example",
        "a@b..example",
        "order 1234567",
        "on 01.02.2026 at 10:30",
        "01.02.2026 10:30",
        "01/02/26 14:00",
        "2026-11-21",
        "0800",
        "https://example.org/Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll2",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "sk-short",
    ];
    for text in table {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn only_the_kinds_that_are_wished_are_masked_and_counted() {
    let text = "4111111111111111 5555555555554444 a@b.example";
    let cleaned = mask(text, &[Sensitive::Card]).unwrap();
    assert_eq!(cleaned.text, "[card] [card] a@b.example");
    assert_eq!(cleaned.masked, [Masked { kind: Sensitive::Card, count: 2 }]);
    // What is surely of another kind stays whole, though a part of it looks like a card's.
    for other in ["DE74 2914 1777 6317 0669 07", "DE88 5380 6956 0423 0411 44", "+49 151 23456787", "+5511912345676"] {
        assert_eq!(mask(other, &[Sensitive::Card]), None, "{other}");
    }
    assert_eq!(mask(text, &[]), None);
    assert_eq!(mask(text, &[Sensitive::Iban]), None);
    assert!(!format!("{cleaned:?}").contains("example"), "words are not printed");
}

/// The right check digit for a number.
fn with_check_digit(mut digits: Vec<u32>) -> Vec<u32> {
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(place, digit)| if place % 2 == 0 { (digit * 2) / 10 + (digit * 2) % 10 } else { *digit })
        .sum();
    digits.push((10 - sum % 10) % 10);
    digits
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(\\PC{0,200}|[0-9 +()@.aeDE/-]{0,120})") {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once.clone(), "what is masked stays as it is");
    }

    #[test]
    fn every_card_is_found_however_it_is_written(
        first in 3_u32..=6,
        rest in prop::collection::vec(0_u32..=9, 11..=17),
        group in 3_usize..=19,
        separator in prop::sample::select(vec![" ", "-", ".", "\u{a0}"]),
        around in prop::sample::select(vec![("", ""), ("my card: ", "."), ("(", ")"), ("x ", " y")]),
    ) {
        let digits = with_check_digit([vec![first], rest].concat());
        let shown: Vec<String> = digits.iter().map(ToString::to_string).collect();
        let number = shown.chunks(group).map(<[String]>::concat).collect::<Vec<_>>().join(separator);
        let (before, after) = around;
        let cleaned = mask(&format!("{before}{number}{after}"), &[Sensitive::Card]).unwrap();
        prop_assert_eq!(cleaned.text, format!("{before}[card]{after}"));
    }
}
