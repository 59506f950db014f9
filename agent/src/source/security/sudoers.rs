//! What sudo's configuration allows. Knows text, no files.
//!
//! Only two questions are answered: who may do everything, and whether somebody may without a
//! password. Rules for single commands are passed over.

use std::collections::{BTreeMap, BTreeSet};

/// Words that may stand before a command with a colon behind them.
const TAGS: &[&str] = &[
    "EXEC",
    "FOLLOW",
    "INTERCEPT",
    "LOG_INPUT",
    "LOG_OUTPUT",
    "MAIL",
    "NOEXEC",
    "NOFOLLOW",
    "NOINTERCEPT",
    "NOLOG_INPUT",
    "NOLOG_OUTPUT",
    "NOMAIL",
    "NOPASSWD",
    "NOSETENV",
    "PASSWD",
    "SETENV",
];
const DIGESTS: &[&str] = &["sha224", "sha256", "sha384", "sha512"];

/// A line of a file, comments and continuations taken care of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Another file takes the place of this line.
    Include(String),
    /// The files of a folder take the place of this line.
    IncludeFolder(String),
    /// Anything else.
    Other(String),
}

/// The lines of a file that say something.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    // A line may go on after a backslash.
    let text = text.replace("\\\n", " ");
    let line = |line: &str| {
        let line = line.trim();
        let included = |word: &str| {
            let rest = line.strip_prefix(['@', '#'])?.strip_prefix(word)?;
            let path = rest.starts_with(char::is_whitespace).then(|| rest.trim().trim_matches('"'));
            path.filter(|path| !path.is_empty()).map(|path| path.replace("\\ ", " "))
        };
        if let Some(path) = included("include") {
            return Some(Line::Include(path));
        }
        if let Some(path) = included("includedir") {
            return Some(Line::IncludeFolder(path));
        }
        let line = without_comment(line).trim();
        (!line.is_empty()).then(|| Line::Other(line.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// A `#` with a number behind it is the id of a user; any other begins a comment.
fn without_comment(line: &str) -> &str {
    let (mut escaped, mut quoted) = (false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => {
                let rest = line.get(at + 1..).unwrap_or_default();
                if !rest.starts_with(|next: char| next.is_ascii_digit()) {
                    return line.get(..at).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    line
}

/// Somebody who may do everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Whoever has an account.
    Everybody,
    User(String),
    UserId(u32),
    Group(String),
    GroupId(u32),
}

/// What all files together say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sudoers {
    rules: Vec<Rule>,
    user_aliases: BTreeMap<String, Vec<Item>>,
    target_aliases: BTreeMap<String, Vec<Item>>,
    command_aliases: BTreeMap<String, Vec<Item>>,
    nobody_is_asked: bool,
    somebody_is_not_asked: bool,
    /// The password asked for is not one's own but the administrator's.
    asks_for_another: bool,
}

/// A name in a list, or an exception from the list.
#[derive(Debug, Clone)]
struct Item {
    name: String,
    except: bool,
}

#[derive(Debug, Clone)]
struct Rule {
    who: Vec<Item>,
    commands: Vec<Command>,
}

#[derive(Debug, Clone)]
struct Command {
    what: Item,
    without_password: bool,
    /// Whose rights it runs with; the administrator's where nothing is said.
    target: Option<Vec<Item>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
}

fn tokens(line: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let (mut escaped, mut quoted) = (false, false);
    for letter in line.chars() {
        match letter {
            _ if escaped => {
                word.get_or_insert_default().push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            _ if quoted => word.get_or_insert_default().push(letter),
            ',' | ':' | '=' | '(' | ')' | '!' => {
                found.extend(word.take().map(Token::Word));
                found.push(Token::Sign(letter));
            }
            _ if letter.is_whitespace() => found.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    found.extend(word.map(Token::Word));
    found
}

/// Tokens still to be read.
struct Reader<'a>(&'a [Token]);

impl Reader<'_> {
    fn sign(&mut self, wanted: char) -> bool {
        let found = matches!(self.0.first(), Some(Token::Sign(sign)) if *sign == wanted);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn word(&mut self) -> Option<String> {
        let (Token::Word(word), rest) = self.0.split_first()? else { return None };
        self.0 = rest;
        Some(word.clone())
    }

    /// A word that has this sign behind it; both are taken.
    fn word_before(&mut self, sign: char, fits: impl Fn(&str) -> bool) -> Option<String> {
        match self.0 {
            [Token::Word(word), Token::Sign(found), rest @ ..] if *found == sign && fits(word) => {
                self.0 = rest;
                Some(word.clone())
            }
            _ => None,
        }
    }

    /// Names with commas between them.
    fn list(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            let mut except = false;
            while self.sign('!') {
                except = !except;
            }
            let Some(name) = self.word() else { return items };
            items.push(Item { name, except });
            if !self.sign(',') {
                return items;
            }
        }
    }

    /// Commands of one group of hosts.
    fn commands(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        let (mut without_password, mut target) = (false, None);
        while !self.0.is_empty() {
            if self.sign('(') {
                target = Some(self.list());
                while !self.0.is_empty() && !self.sign(')') {
                    self.0 = &self.0[1..];
                }
            } else if let Some(tag) = self.word_before(':', |word| TAGS.contains(&word)) {
                match tag.as_str() {
                    "NOPASSWD" => without_password = true,
                    "PASSWD" => without_password = false,
                    _ => {}
                }
            } else if self.word_before(':', |word| DIGESTS.contains(&word)).is_some()
                || self.word_before('=', |_| true).is_some()
            {
                self.word();
            } else if matches!(self.0.first(), Some(Token::Sign(':'))) {
                return commands;
            } else if !self.sign(',') {
                let Some(what) = self.list_item() else {
                    self.0 = self.0.get(1..).unwrap_or_default();
                    continue;
                };
                commands.push(Command { what, without_password, target: target.clone() });
            }
        }
        commands
    }

    /// One command; arguments make it a single one, whatever its name.
    fn list_item(&mut self) -> Option<Item> {
        let mut except = false;
        while self.sign('!') {
            except = !except;
        }
        let mut name = self.word()?;
        while let Some(argument) = self.word() {
            name = format!("{name} {argument}");
        }
        Some(Item { name, except })
    }
}

impl Sudoers {
    /// Adds a line that includes nothing.
    pub(crate) fn add(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("Defaults")
            && rest.starts_with(|next: char| next.is_whitespace() || ":@!>".contains(next))
        {
            self.add_defaults(rest);
            return;
        }
        let tokens = tokens(line);
        let mut reader = Reader(&tokens);
        let aliases = match tokens.first() {
            Some(Token::Word(word)) => match word.as_str() {
                "User_Alias" => Some(&mut self.user_aliases),
                "Runas_Alias" => Some(&mut self.target_aliases),
                "Cmnd_Alias" | "Cmd_Alias" => Some(&mut self.command_aliases),
                "Host_Alias" => return,
                _ => None,
            },
            _ => None,
        };
        if let Some(aliases) = aliases {
            reader.word();
            while let Some(name) = reader.word_before('=', |_| true) {
                aliases.entry(name).or_default().extend(reader.list());
                reader.sign(':');
            }
            return;
        }
        let who = reader.list();
        loop {
            let hosts = reader.list();
            if hosts.is_empty() || !reader.sign('=') {
                return;
            }
            self.rules.push(Rule { who: who.clone(), commands: reader.commands() });
            if !reader.sign(':') {
                return;
            }
        }
    }

    /// Settings for everybody, or for those named behind the sign.
    fn add_defaults(&mut self, rest: &str) {
        let scope = rest.chars().next().filter(|sign| !sign.is_whitespace());
        let rest = rest.trim_start_matches([':', '@', '!', '>']);
        let (of, settings) = match scope {
            Some(_) => rest.trim_start().split_once(char::is_whitespace).unwrap_or_default(),
            None => ("", rest),
        };
        for setting in settings.split(',') {
            let setting = setting.replace(' ', "");
            if let (None, "targetpw" | "rootpw") = (scope, setting.trim_start_matches('!')) {
                self.asks_for_another = !setting.starts_with('!');
            }
            let asks = match setting.as_str() {
                "authenticate" => true,
                "!authenticate" => false,
                _ => continue,
            };
            let named = |names: &[&str]| of.split(',').any(|name| names.contains(&name.trim()));
            match scope {
                None => self.nobody_is_asked = !asks,
                Some('!') if !named(&["ALL"]) => {}
                Some('>') if !named(&["ALL", "root", "#0"]) => {}
                Some(_) => self.somebody_is_not_asked |= !asks,
            }
        }
    }

    /// Whether somebody becomes administrator without a password.
    pub(crate) fn without_password(&self) -> bool {
        let by_rule = |rule: &Rule| {
            self.who(rule).iter().any(|who| !is_administrator(who))
                && self.everything(rule) == Some(true)
        };
        self.nobody_is_asked || self.somebody_is_not_asked || self.rules.iter().any(by_rule)
    }

    /// Everybody who may do everything.
    pub(crate) fn administrators(&self) -> BTreeSet<Who> {
        let rules = self.rules.iter().filter(|rule| {
            let everything = self.everything(rule);
            everything == Some(true) || (everything.is_some() && !self.asks_for_another)
        });
        rules.flat_map(|rule| self.who(rule)).collect()
    }

    /// Whether a rule allows everything, and then whether without a password. The last word counts.
    fn everything(&self, rule: &Rule) -> Option<bool> {
        let mut found = None;
        for command in &rule.commands {
            let all = names(&command.what.name, &self.command_aliases);
            if all.iter().any(|item| !item.except && item.name == "ALL") {
                if command.what.except {
                    found = None;
                } else if self.as_administrator(command) {
                    found = Some(command.without_password);
                }
            }
        }
        found
    }

    fn as_administrator(&self, command: &Command) -> bool {
        let Some(target) = &command.target else { return true };
        let is_root = |name: &str| matches!(name, "root" | "#0");
        let mut found = false;
        for item in target {
            for name in names(&item.name, &self.target_aliases) {
                let except = item.except != name.except;
                match name.name.as_str() {
                    "ALL" => found = !except,
                    name if is_root(name) => found = !except,
                    _ => {}
                }
            }
        }
        found
    }

    fn who(&self, rule: &Rule) -> Vec<Who> {
        let names = rule
            .who
            .iter()
            .filter(|item| !item.except)
            .flat_map(|item| names(&item.name, &self.user_aliases));
        names.filter(|item| !item.except).filter_map(|item| who(&item.name)).collect()
    }
}

/// root needs no rule and no password.
fn is_administrator(who: &Who) -> bool {
    matches!(who, Who::User(name) if name == "root") || *who == Who::UserId(0)
}

fn who(name: &str) -> Option<Who> {
    if name == "ALL" {
        return Some(Who::Everybody);
    }
    if let Some(id) = name.strip_prefix("%#") {
        return id.parse().ok().map(Who::GroupId);
    }
    if let Some(id) = name.strip_prefix('#') {
        return id.parse().ok().map(Who::UserId);
    }
    match name.strip_prefix('%') {
        Some(group) if group.starts_with(':') => None,
        Some(group) => Some(Who::Group(group.to_owned())),
        // `+` names a group of the directory.
        None => (!name.starts_with('+')).then(|| Who::User(name.to_owned())),
    }
}

/// What a name stands for: itself, or what its alias lists.
fn names(name: &str, aliases: &BTreeMap<String, Vec<Item>>) -> Vec<Item> {
    // Aliases may name one another, also in a circle.
    let mut seen = BTreeSet::new();
    let mut left = vec![Item { name: name.to_owned(), except: false }];
    let mut found = Vec::new();
    while let Some(item) = left.pop() {
        match aliases.get_key_value(&item.name) {
            Some((alias, items)) => {
                if seen.insert(alias) {
                    left.extend(items.iter().rev().map(|inner| Item {
                        name: inner.name.clone(),
                        except: inner.except != item.except,
                    }));
                }
            }
            None => found.push(item),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sudoers(text: &str) -> Sudoers {
        let mut sudoers = Sudoers::default();
        for line in lines(text) {
            match line {
                Line::Other(line) => sudoers.add(&line),
                other => panic!("nothing is included here: {other:?}"),
            }
        }
        sudoers
    }

    fn without_password(text: &str) -> bool {
        sudoers(text).without_password()
    }

    #[test]
    fn sudo_without_password_means_everything() {
        assert!(without_password("%wheel ALL=(ALL) NOPASSWD: ALL"));
        assert!(without_password("anna ALL=(ALL:ALL) \\\n NOPASSWD:SETENV: ALL"));
        assert!(without_password("anna ALL = NOPASSWD: /usr/bin/ls -l, ALL"));
        assert!(without_password("anna web=/bin/ls : db=(root) NOPASSWD: ALL"));
        assert!(without_password("#1000 ALL=(ALL) NOPASSWD: ALL"));
        assert!(without_password("ADMINS ALL=NOPASSWD: EVERY\nCmnd_Alias EVERY = ALL"));
        assert!(without_password("anna ALL=(ALL) CWD=/ NOPASSWD: ALL # for the tests"));
    }

    #[test]
    fn single_commands_other_accounts_and_comments_are_not_everything() {
        assert!(!without_password("# %wheel ALL=(ALL) NOPASSWD: ALL"));
        assert!(!without_password("backup ALL=(root) NOPASSWD: /usr/bin/rsync"));
        assert!(!without_password("backup ALL=NOPASSWD: /usr/bin/ls, PASSWD: ALL"));
        assert!(!without_password("backup ALL=NOPASSWD: /usr/bin/make ALL"));
        assert!(!without_password("dba ALL=(postgres) NOPASSWD: ALL"));
        assert!(!without_password("dba ALL=(ALL, !root) NOPASSWD: ALL"));
        assert!(!without_password("root ALL=(ALL:ALL) NOPASSWD: ALL"));
        assert!(!without_password("%sudo ALL=(ALL:ALL) ALL"));
    }

    #[test]
    fn settings_hold_for_those_they_name() {
        assert!(without_password("Defaults !authenticate"));
        assert!(without_password("Defaults env_reset, ! authenticate"));
        assert!(without_password("Defaults:anna !authenticate"));
        assert!(!without_password("Defaults!/usr/bin/ls !authenticate"));
        assert!(!without_password("Defaults>postgres !authenticate"));
        assert!(!without_password("Defaults !authenticate\nDefaults authenticate"));
        assert!(!without_password("Defaults badpass_message=\"!authenticate\""));
    }

    #[test]
    fn administrators_are_users_groups_and_numbers() {
        let found = sudoers(
            "root ALL=(ALL) ALL\n\
             User_Alias OPS = anna, EXAMPLE\\\\bert, !carl : DBA = dora\n\
             OPS ALL=(ALL) ALL\n\
             DBA ALL=(postgres) ALL\n\
             %wheel, \"%domain admins\" ALL=(ALL) ALL\n\
             #1007, %#27 web = ALL\n\
             eve ALL = /usr/bin/apt\n",
        );
        let user = |name: &str| Who::User(name.to_owned());
        let group = |name: &str| Who::Group(name.to_owned());
        let expected = BTreeSet::from([
            user("root"),
            user("anna"),
            user("EXAMPLE\\bert"),
            group("wheel"),
            group("domain admins"),
            Who::UserId(1007),
            Who::GroupId(27),
        ]);
        assert_eq!(found.administrators(), expected);
        assert_eq!(sudoers("ALL ALL=(ALL) ALL").administrators(), [Who::Everybody].into());
        // As openSUSE has it: whoever knows the administrator's password.
        let asked = sudoers("Defaults targetpw\nALL ALL=(ALL) ALL\nanna ALL=NOPASSWD: ALL");
        assert_eq!(asked.administrators(), [user("anna")].into());
    }

    #[test]
    fn included_files_and_folders_are_named() {
        let found = lines(
            "#include /etc/sudoers.local\n@include extra\n#includedir /etc/sudoers.d\n\
             @includedir \"/etc/more files\"\n#included by mistake\n",
        );
        let file = |path: &str| Line::Include(path.to_owned());
        let folder = |path: &str| Line::IncludeFolder(path.to_owned());
        assert_eq!(
            found,
            [
                file("/etc/sudoers.local"),
                file("extra"),
                folder("/etc/sudoers.d"),
                folder("/etc/more files"),
            ]
        );
    }

    #[test]
    fn aliases_that_name_one_another_end() {
        let found = sudoers("User_Alias A = B, B : B = A, A\nA ALL=(ALL) NOPASSWD: ALL");
        found.without_password();
        found.administrators();
    }
}
