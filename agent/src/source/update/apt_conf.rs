//! Settings in apt's configuration. Knows text, no files.

/// The last value of a setting in these files, however it is nested: `A::B "1";` is the same as
/// `A { B "1"; };`. Names are compared without regard to case.
pub(super) fn last_value<'a>(
    files: impl IntoIterator<Item = &'a str>,
    setting: &str,
) -> Option<String> {
    let mut last = None;
    for file in files {
        for_each(file, |name, value| {
            if name.eq_ignore_ascii_case(setting) {
                last = Some(value.to_owned());
            }
        });
    }
    last
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn for_each(text: &str, mut on_setting: impl FnMut(&str, &str)) {
    // One more level is added for every opening brace; a file of braces alone is no configuration.
    const DEPTH_LIMIT: usize = 100;
    let mut scope: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Word(word) => words.push(word),
            Token::Open => {
                if scope.len() >= DEPTH_LIMIT {
                    return;
                }
                scope.push(words.drain(..).next().unwrap_or_default());
            }
            Token::Close => {
                scope.pop();
                words.clear();
            }
            Token::End => {
                if let [name, value, ..] = &words[..] {
                    let name = scope.iter().chain([name]).cloned().collect::<Vec<_>>().join("::");
                    on_setting(&name, value);
                }
                words.clear();
            }
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars().peekable();
    let end = |word: &mut String, found: &mut Vec<Token>| {
        if !word.is_empty() {
            found.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(letter) = letters.next() {
        let mut to_end_of_line = letter == '#' && word.is_empty();
        match (letter, letters.peek()) {
            ('"', _) => {
                end(&mut word, &mut found);
                found.push(Token::Word(letters.by_ref().take_while(|next| *next != '"').collect()));
            }
            ('/', Some('/')) if word.is_empty() => to_end_of_line = true,
            ('/', Some('*')) => {
                end(&mut word, &mut found);
                let mut before = ' ';
                letters.next();
                for next in letters.by_ref() {
                    if (before, next) == ('*', '/') {
                        break;
                    }
                    before = next;
                }
            }
            ('{' | '}' | ';', _) => {
                end(&mut word, &mut found);
                found.push(match letter {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                });
            }
            _ if to_end_of_line => {}
            _ if letter.is_whitespace() => end(&mut word, &mut found),
            _ => word.push(letter),
        }
        if to_end_of_line {
            letters.by_ref().take_while(|next| *next != '\n').for_each(drop);
        }
    }
    end(&mut word, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Option<String> {
        last_value([text], "APT::Periodic::Unattended-Upgrade")
    }

    #[test]
    fn every_form_of_a_setting_is_read() {
        let one = Some("1".to_owned());
        assert_eq!(value("APT::Periodic::Unattended-Upgrade \"1\";"), one);
        assert_eq!(value("APT { Periodic { Unattended-Upgrade \"1\"; }; };"), one);
        assert_eq!(value("apt::periodic {\n  Enable 1;\n  unattended-upgrade 1;\n}"), one);
        assert_eq!(value("APT{Periodic{/* by hand */Unattended-Upgrade\"1\";}}"), one);
        assert_eq!(value("Dir \"http://x//y\"; APT::Periodic::Unattended-Upgrade 1;"), one);
    }

    #[test]
    fn comments_and_other_settings_are_not() {
        assert_eq!(value("// APT::Periodic::Unattended-Upgrade \"1\";"), None);
        assert_eq!(value("# APT::Periodic::Unattended-Upgrade \"1\";"), None);
        assert_eq!(value("/* APT::Periodic::Unattended-Upgrade \"1\"; */"), None);
        assert_eq!(value("APT { Other { Unattended-Upgrade \"1\"; }; };"), None);
    }

    #[test]
    fn the_last_one_counts() {
        let files = ["A { B 1; };", "a::b \"0\";"];
        assert_eq!(last_value(files, "A::B").as_deref(), Some("0"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(\\PC{0,9}|[{};\"#/*: \n]){0,40}") {
            value(&text);
        }
    }
}
