"""Pages of reports: texts stay texts, and nothing is loaded."""

from __future__ import annotations

from html.parser import HTMLParser

from edge_fer.html_page import html_page, html_picture, html_table, html_text

EVIL = '<script>alert("x")</script>'


class Tags(HTMLParser):
    """The names of the elements of a page, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_texts_are_never_markup() -> None:
    page = html_page(EVIL, [html_text("p", EVIL, "soft"), html_table([EVIL], [[EVIL]]), html_picture(EVIL, b"png")])
    tags = Tags(page)
    assert "script" not in tags.names
    assert tags.text.count(EVIL) == 4


def test_a_table_has_a_head_where_there_are_heads() -> None:
    assert Tags(html_table(["a", "b"], [["1", "2"]])).names.count("th") == 2
    assert Tags(html_table([], [["1", "2"]])).names == ["div", "table", "tbody", "tr", "td", "td"]


def test_styles_and_elements_of_one_page_stand_beside_those_of_all() -> None:
    page = html_page("x", [], style="svg { color: red }", head="<meta name='a'>")
    assert "svg { color: red }</style>" in page
    assert "<meta name='a'>" in page
    assert "default-src 'none'" in page
