"""The benchmark's front page as a template: a table and a figure over the main models of all studies, and all claims.

It needs no server. Without JavaScript tables are complete but cannot be sorted, and there is no figure.
"""

STYLE = """
body{font-family:system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#222}
h2{margin-top:2.2rem} a{color:#0072B2} code{font-size:.85em}
.wide{overflow-x:auto} .tools{display:flex;flex-wrap:wrap;gap:.6rem 1.2rem;margin:.6rem 0;align-items:center}
table.models,table.claims{border-collapse:collapse;font-size:.9em;width:100%}
table.models th,table.claims th{border-bottom:1px solid #444;border-top:2px solid #444;text-align:left;vertical-align:bottom}
table.models th button{all:unset;cursor:pointer;font-weight:600} table.models th button:focus-visible{outline:2px solid #0072B2}
table.models th[aria-sort=ascending] button::after{content:" ▲"} table.models th[aria-sort=descending] button::after{content:" ▼"}
th,td{padding:.25em .6em;vertical-align:top} tbody tr:nth-child(even){background:#f6f6f6} td.number{white-space:nowrap}
td.holds{color:#00664a} td.fails{color:#a63d00} td.open{color:#555} td.left{color:#767676}
svg{width:100%;height:auto;max-width:52rem} svg text{font-size:12px;fill:#222} svg a:focus circle{stroke:#000;stroke-width:3}
.figures{display:flex;flex-wrap:wrap;gap:1rem} figure{margin:0;width:19rem} figure img{width:100%;border:1px solid #ddd;background:#fff}
figcaption{font-size:.85em} select,input{font:inherit;max-width:100%}
@media(max-width:40rem){body{margin:1rem auto} figure{width:100%} svg text{font-size:20px}}
"""

SCRIPT = """
const models = JSON.parse(document.getElementById("models").textContent);
const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"];
const studies = [...new Set(models.map(m => m.study))];
const $ = id => document.getElementById(id);
const svg = (name, attributes, ...children) => {
  const one = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.append(...children); return one;
};
function rows(table, keep) {
  for (const row of $(table).tBodies[0].rows) row.hidden = !keep(row);
}
function sort(head, column) {
  const body = $("table").tBodies[0], up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const key = row => { const v = value(row); return v === "" ? null : isNaN(v) ? v : Number(v); };
  [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return (x > y ? 1 : x < y ? -1 : 0) * (up ? 1 : -1);
  }).forEach(row => body.append(row));
}
function draw() {
  const [x, y] = [$("cost").value, $("task").value], wanted = $("filter").value.toLowerCase();
  const shown = models.filter(m => m[x] != null && m[y] != null && `${m.study} ${m.model}`.toLowerCase().includes(wanted));
  const plot = $("plot"); plot.replaceChildren(); $("count").textContent = `${shown.length} of ${models.length} models have both`;
  if (!shown.length) return;
  const [width, height, left, right, top, bottom] = [760, 400, 60, 20, 15, 48];
  const logs = shown.map(m => Math.log10(Math.max(m[x], 1e-3))), lows = shown.map(m => m[y + "_low"] ?? m[y]), highs = shown.map(m => m[y + "_high"] ?? m[y]);
  const [a, b] = [Math.min(...logs) - .1, Math.max(...logs) + .1], [c, d] = [Math.max(0, Math.min(...lows) - 4), Math.min(100, Math.max(...highs) + 4)];
  const px = v => left + (Math.log10(Math.max(v, 1e-3)) - a) / (b - a) * (width - left - right);
  const py = v => height - bottom - (v - c) / (d - c || 1) * (height - top - bottom);
  for (let i = 0; i <= 4; i++) {
    const v = c + (d - c) * i / 4, w = 10 ** (a + (b - a) * i / 4);
    plot.append(svg("line", {x1: left, x2: width - right, y1: py(v), y2: py(v), stroke: "#ddd"}), svg("text", {x: left - 8, y: py(v) + 4, "text-anchor": "end"}, v.toFixed(0)));
    plot.append(svg("text", {x: px(w), y: height - bottom + 18, "text-anchor": "middle"}, w.toPrecision(2).replace(/e\\+?(-?\\d+)/, "·10^$1")));
  }
  plot.append(svg("text", {x: (left + width) / 2, y: height - 8, "text-anchor": "middle"}, $("cost").selectedOptions[0].text + ", logarithmic"));
  plot.append(svg("text", {x: 14, y: height / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${height / 2})`}, $("task").selectedOptions[0].text + " (%)"));
  let best = -Infinity; const edge = new Set();
  for (const m of [...shown].sort((p, q) => p[x] - q[x] || q[y] - p[y])) if (m[y] > best) { best = m[y]; edge.add(m); }
  plot.append(svg("polyline", {points: [...edge].map(m => `${px(m[x])},${py(m[y])}`).join(" "), fill: "none", stroke: "#888", "stroke-dasharray": "4 4"}));
  const taken = shown.map(m => new DOMRect(px(m[x]) - 7, py(m[y]) - 7, 14, 14));
  const free = box => box.x > left && box.right < width && taken.every(other =>
    box.x > other.right || other.x > box.right || box.y > other.bottom || other.y > box.bottom);
  const places = [-6, 16, -20, 30].flatMap(down => [["start", 10, down], ["end", -10, down]]);
  for (const m of shown) {
    const colour = colours[studies.indexOf(m.study) % colours.length], name = svg("text", {}, m.model);
    const point = svg("a", {href: m.report}, svg("title", {}, `${m.model} (${m.study}): ${m[y]} % at ${m[x]}\\n${m.command}`),
      svg("line", {x1: px(m[x]), x2: px(m[x]), y1: py(m[y + "_low"] ?? m[y]), y2: py(m[y + "_high"] ?? m[y]), stroke: colour}),
      svg("circle", {cx: px(m[x]), cy: py(m[y]), r: 6, fill: edge.has(m) ? colour : "#fff", stroke: colour, "stroke-width": 2}),
      name);
    plot.append(point);
    // A name stands beside its point, at the first place where it covers no other name and no point.
    for (const [anchor, across, down] of [...places, places[0]]) {
      for (const [key, value] of Object.entries({"text-anchor": anchor, x: px(m[x]) + across, y: py(m[y]) + down})) name.setAttribute(key, value);
      if (free(DOMRect.fromRect(name.getBBox()))) break;
    }
    taken.push(DOMRect.fromRect(name.getBBox()));
  }
}
function filter() {
  const wanted = $("filter").value.toLowerCase();
  rows("table", row => row.textContent.toLowerCase().includes(wanted)); draw();
}
function claims() {
  const [verdict, study] = [$("verdict").value, $("of").value];
  rows("list", row => (!verdict || row.dataset.verdict === verdict) && (!study || row.dataset.study === study));
}
if ($("table")) {
  [...$("table").tHead.rows[0].cells].forEach((head, column) => head.firstElementChild.addEventListener("click", () => sort(head, column)));
  $("filter").addEventListener("input", filter);
  const known = key => models.filter(m => m[key] != null).length;
  $("task").value = [...$("task").options].map(o => o.value).reduce((a, b) => known(b) > known(a) ? b : a);
  for (const id of ["cost", "task"]) $(id).addEventListener("change", draw);
  draw();
}
if ($("list")) for (const id of ["verdict", "of"]) $(id).addEventListener("change", claims);
"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>compactvl: results</title><style>{{ style | safe }}</style></head><body>
<h1>compactvl: results</h1>
<p>Which small image-text model to train, and at what cost. Reports:
{% for page in reports %}<a href="{{ link(page) }}">{{ page.stem }}</a>{{ ", " if not loop.last else "." }}{% else %}none yet.{% endfor %}</p>
{% if models %}<h2>Models</h2>
<p>The main models of every study that was run, on the tasks that several studies share. Scores are of the same test items, in per
cent with 95% intervals; times are of one benchmark, {{ often }} questions at once, the image's share spread over {{ often }}
questions. Filled points are on the Pareto frontier: no other is as cheap and better. A point leads to its report.</p>
<div class="tools"><label>Task <select id="task">{% for key, title in tasks.items() %}<option value="{{ key }}">{{ title }}</option>{% endfor %}</select></label>
<label>Cost <select id="cost">{% for key, title in costs.items() %}<option value="{{ key }}">{{ title }}</option>{% endfor %}</select></label>
<label>Filter <input id="filter" type="search" placeholder="name of a study or model"></label><span id="count"></span></div>
<svg id="plot" viewBox="0 0 760 400" role="img" aria-label="Score against cost of each model"></svg>
<div class="wide"><table class="models" id="table"><thead><tr>{% for title in ["Model", "Study"] + (tasks.values() | list) + (costs.values() | list) + ["Made by"] %}<th><button type="button">{{ title }}</button></th>{% endfor %}</tr></thead><tbody>
{% for m in models %}<tr><td><a href="{{ m.report }}">{{ m.model }}</a></td><td>{{ m.study }}</td>
{%- for key in tasks %}<td class="number" data-value="{{ "" if m[key] is none else m[key] }}">{% if m[key] is none %}–{% else %}{{ m[key] }} [{{ m[key ~ "_low"] }}, {{ m[key ~ "_high"] }}]{% endif %}</td>{% endfor -%}
{%- for key in costs %}<td class="number" data-value="{{ "" if m[key] is none else m[key] }}">{{ "–" if m[key] is none else m[key] }}</td>{% endfor -%}
<td><code>{{ m.command }}</code></td></tr>
{% endfor %}</tbody></table></div>
<p>What cannot be compared: a dash is a task that a model was not trained for, or a cost that was not measured. Studies differ in what
they begin with (cached tokens of DINOv2, pixels), in data and in minutes of training: the table tells what was reached here, the
reports what a paper's claim rests on. easy-VQA's score is over the questions about colour and shape; some models were also trained on
those that are answered by yes or no.
{% if apart %}Without a shared task, and only in {{ "their reports" if apart | length > 1 else "its report" }}: {{ apart | join(", ") }}.{% endif %}</p>
<script type="application/json" id="models">{{ models | tojson }}</script>{% endif %}
{% if claims %}<h2>Claims</h2>
<p>Every claim of the papers, the questions they leave open, and our controls, as they came out here.</p>
<div class="wide">{{ verdicts | safe }}</div>
<div class="tools"><label>Verdict <select id="verdict"><option value="">all</option>{% for one in kinds %}<option>{{ one }}</option>{% endfor %}</select></label>
<label>Study <select id="of"><option value="">all</option>{% for one in judged %}<option>{{ one }}</option>{% endfor %}</select></label></div>
<div class="wide"><table class="claims" id="list"><thead><tr><th>Study</th><th>Claim</th><th>Of</th><th>Verdict</th><th>Evidence</th></tr></thead><tbody>
{% for c in claims %}<tr data-verdict="{{ c.verdict }}" data-study="{{ c.study }}"><td>{{ c.study }}</td><td>{{ c.claim }}</td><td>{{ c.of }}</td><td class="{{ c.look }}">{{ c.verdict }}</td><td>{{ c.evidence }}</td></tr>
{% endfor %}</tbody></table></div>{% endif %}
<h2>Metrics</h2>
<p><a href="{{ link(metrics) }}">metrics.csv</a>: one row a study, variant, seed, benchmark and metric.</p>
{{ counts | safe }}
<h2>Figures and tables</h2>
{% for folder in folders %}<h3>{{ folder.name }}</h3>
<div class="figures">
{% for picture in folder.glob("*.png") | sort %}<figure><a href="{{ link(picture) }}"><img src="{{ link(picture) }}"
 alt="{{ title(picture) }}" loading="lazy"></a><figcaption>{{ title(picture) }}
{% for other in (picture.with_suffix(".pdf"), picture.with_suffix(".svg")) if other.is_file() -%}
<a href="{{ link(other) }}">{{ other.suffix[1:] }}</a>
{% endfor %}</figcaption></figure>
{% endfor %}</div>
<p>Tables: {% for table in folder.glob("*.csv") | sort %}<a href="{{ link(table) }}">{{ title(table) }}</a> {% endfor %}</p>
{% endfor %}<p><small>Python {{ python }}; {{ versions }}. What each file was made from and how long it took:
<code>compactvl explain FILE</code>.</small></p>
{% if models or claims %}<script>{{ script | safe }}</script>{% endif %}
</body></html>
"""
