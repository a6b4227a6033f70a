'use strict';
{
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($('data').textContent);
  const { lanes, lives, txns, faults, frontier, steps } = data;
  // What is empty is not in the data.
  const fill = (items, defaults) => {
    for (const item of items) for (const name in defaults) if (item[name] === undefined) item[name] = defaults[name];
  };
  const NONE = [];
  fill(lives, { opened: null, ended: null, recovered_version: null });
  fill(faults, { lane: null, detail: '', kind: '' });
  fill(txns, { commit_called: null, durable: null, start_version: null, commit_version: null, isolation: '', accesses: NONE, conflicts: NONE });
  for (const txn of txns) {
    fill(txn.accesses, { key: '', value: null, version: null, from: null, note: '' });
    fill(txn.conflicts, { key: '', winner: null, winner_version: null });
  }
  fill(lanes, { name: '' });
  // Times of steps come as differences, which are shorter.
  for (let i = 1; i < steps.at.length; i++) steps.at[i] += steps.at[i - 1];
  const blamed = new Set(data.blamed);
  const byId = new Map(txns.map((txn) => [txn.id, txn]));
  const stepCount = steps.at.length;
  const PER_PAGE = 50;
  // Columns that are aligned as numbers are.
  const NUMBERS = new Set(['Time', 'Version']);

  // Keys and values are hostile: they reach the page only as text, and what is invisible is written out.
  const utf8 = new TextEncoder();
  const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Cs}\ufe00-\ufe0f]/gu;
  const plain = (text) => String(text).replace(hidden, (c) => [...utf8.encode(c)].map((b) => '\\x' + b.toString(16).padStart(2, '0')).join(''));
  const figure = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  const laneName = (lane) => plain(lanes[lane]?.name ?? '?');
  const el = (tag, props = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name === 'text') node.textContent = plain(value);
      else if (name === 'on') node.addEventListener('click', value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const outcomeWords = { committed: 'committed', aborted: 'aborted', rolled_back: 'rolled back', unknown: 'unknown', running: 'cut off' };
  // From the second epoch on: epoch and counter, as words.rs has it.
  const EPOCH = 2 ** 40;
  const version = (v) => (v === null ? '–' : v < EPOCH ? figure(v) : `e${Math.floor(v / EPOCH) + 1}.${v % EPOCH}`);
  // The details show all of it.
  const brief = (text) => (text.length > 120 ? [...text].slice(0, 119).join('') + '…' : text);
  const accessWords = (a) => {
    let words = `${a.kind} ${a.key}`;
    if (a.value !== null) words += ` = ${a.value}`;
    else if (a.kind === 'read') words += ' absent';
    if (a.version !== null) words += ` @${version(a.version)}`;
    return a.note ? `${words} (${brief(a.note)})` : words;
  };
  const conflictWords = (c) => `${c.kind} conflict on ${c.key}` + (c.winner_version === null ? '' : `, won at version ${version(c.winner_version)}`);

  // ---- Layout: every lane has as many rows as it has transactions at one time.
  let end = 1;
  for (const txn of txns) end = Math.max(end, txn.ended, txn.durable ?? 0);
  for (const life of lives) end = Math.max(end, life.ended ?? 0, life.opened ?? 0);
  for (const fault of faults) end = Math.max(end, fault.at);
  for (const point of frontier) end = Math.max(end, point.at);
  if (stepCount) end = Math.max(end, steps.at[stepCount - 1]);
  const rowsOfLane = lanes.map(() => []);
  const rowOf = new Map();
  for (const txn of txns) {
    const rows = rowsOfLane[txn.lane];
    if (!rows) continue;
    let row = rows.findIndex((free) => free <= txn.begun);
    if (row < 0) row = rows.length;
    rows[row] = Math.max(txn.ended, txn.begun + 1);
    rowOf.set(txn, row);
  }
  const order = lanes.map((_, id) => id).sort((a, b) => rank(a) - rank(b) || a - b);
  function rank(lane) { return ['client', 'engine', 'world'].indexOf(lanes[lane].kind); }

  // ---- State.
  const canvas = $('timeline');
  const paint = canvas.getContext('2d');
  const view = { from: 0, to: end };
  let cursor = 0;
  let selected = null;
  let filter = '';
  let page = 0;
  let matching = txns;
  let tops = [];
  let colours = {};

  // What a scan found stands in its note.
  const touches = (txn) => txn.accesses.some((a) => plain(a.key).includes(filter) || (a.kind === 'scan' && plain(a.note).includes(filter))) || txn.conflicts.some((c) => plain(c.key).includes(filter));
  const narrow = () => canvas.clientWidth < 560;
  const gutter = () => (narrow() ? 84 : 150);
  const scale = () => (canvas.clientWidth - gutter() - 6) / (view.to - view.from);
  const toX = (time) => gutter() + (time - view.from) * scale();
  const toTime = (x) => view.from + (x - gutter()) / scale();
  const LIFE = 22, FAULT = 20, CHART = 56, ROW = 22;

  // Steps may share a time: they are spread over the stretch until the next one.
  const stepTime = (step) => {
    const at = steps.at[step];
    let first = step, last = step;
    while (first > 0 && steps.at[first - 1] === at) first--;
    while (last + 1 < stepCount && steps.at[last + 1] === at) last++;
    return at + (step - first) / (last - first + 1);
  };
  const firstStepAt = (time) => {
    let low = 0, high = stepCount;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps.at[middle] < time) low = middle + 1; else high = middle;
    }
    return Math.min(low, Math.max(0, stepCount - 1));
  };

  // ---- Drawing.
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    colours = {};
    for (const name of ['card', 'ink', 'soft', 'line', 'accent', 'committed', 'aborted', 'rolled_back', 'unknown', 'running', 'blamed', 'crash', 'fault', 'published', 'durable', 'bad-back', 'back']) {
      colours[name] = style.getPropertyValue('--' + name).trim();
    }
  };
  let pending = false;
  const redraw = () => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(); });
  };
  const label = (text, x, y, colour, width, halo) => {
    paint.fillStyle = colour;
    let shown = plain(text);
    if (width !== undefined && paint.measureText(shown).width > width) {
      const letters = [...shown].slice(0, 200);
      while (letters.length && paint.measureText(letters.join('') + '…').width > width) letters.pop();
      shown = letters.join('') + '…';
    }
    if (halo) {
      paint.strokeStyle = halo;
      paint.lineWidth = 3;
      paint.lineJoin = 'round';
      paint.strokeText(shown, x, y);
      paint.lineWidth = 1;
    }
    paint.fillText(shown, x, y);
  };
  const vertical = (x, colour, dash, height) => {
    paint.strokeStyle = colour;
    paint.setLineDash(dash);
    paint.beginPath(); paint.moveTo(x, 0); paint.lineTo(x, height); paint.stroke();
    paint.setLineDash([]);
  };

  function draw() {
    const shownLanes = order.filter((lane) => $('engine').checked || lanes[lane].kind === 'client');
    let height = LIFE + FAULT;
    tops = [];
    for (const lane of shownLanes) {
      tops[lane] = height;
      height += Math.max(1, rowsOfLane[lane].length) * ROW + 8;
    }
    const chartTop = height;
    if (frontier.length) height += CHART;
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (canvas.style.height !== height + 'px') canvas.style.height = height + 'px';
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.font = '12px system-ui, sans-serif';
    paint.textBaseline = 'middle';
    paint.fillStyle = colours.card;
    paint.fillRect(0, 0, width, height);

    paint.save();
    paint.beginPath(); paint.rect(gutter(), 0, width - gutter(), height); paint.clip();
    drawLives(height);
    for (const lane of shownLanes) {
      paint.strokeStyle = colours.line;
      paint.beginPath(); paint.moveTo(0, tops[lane] - 4.5); paint.lineTo(width, tops[lane] - 4.5); paint.stroke();
    }
    drawSteps();
    for (const txn of txns) drawTxn(txn);
    drawArrows();
    drawFaults(height);
    if (frontier.length) drawFrontier(chartTop);
    if (stepCount) {
      vertical(toX(stepTime(cursor)), colours.ink, [], height);
    }
    paint.restore();

    for (const lane of shownLanes) label(lanes[lane].name, 6, tops[lane] + ROW / 2, lanes[lane].kind === 'client' ? colours.ink : colours.soft, gutter() - 10);
    label('faults', 6, LIFE + FAULT / 2, colours.soft);
    if (frontier.length) label('versions', 6, chartTop + CHART / 2, colours.soft);
    if (!narrow()) label(`${figure(Math.floor(view.from))} – ${figure(Math.ceil(view.to))}`, 6, LIFE / 2, colours.soft, gutter() - 10);
  }

  function drawLives(height) {
    lives.forEach((life, index) => {
      const from = toX(life.begun), to = toX(life.ended ?? end);
      if (life.opened !== null || life.ended !== null) {
        const opened = toX(life.opened ?? life.ended);
        paint.fillStyle = colours.back;
        paint.fillRect(from, 0, Math.max(opened - from, 1), height);
      }
      label(`life ${index}` + (life.recovered_version === null ? '' : `, recovered version ${version(life.recovered_version)}`), Math.max(from, gutter()) + 4, LIFE / 2, colours.soft, Math.max(0, to - Math.max(from, gutter()) - 8));
      if (life.ended !== null) vertical(to, life.end === 'crashed' ? colours.crash : colours.line, [], height);
    });
  }

  function drawSteps() {
    if (!stepCount) return;
    const from = Math.max(0, firstStepAt(view.from) - 1);
    const to = firstStepAt(view.to + 1);
    // Where many steps fall on one pixel, one tick stands for them.
    const lastX = [];
    for (let step = from; step <= to; step++) {
      const lane = steps.lane[step];
      const top = tops[lane];
      if (top === undefined) continue;
      const at = (to - from) > 5000 ? steps.at[step] : stepTime(step);
      const x = Math.round(toX(at));
      if (lastX[lane] === x && !steps.preempted[step]) continue;
      lastX[lane] = x;
      const bottom = top + Math.max(1, rowsOfLane[lane].length) * ROW;
      paint.fillStyle = steps.preempted[step] ? colours.aborted : colours.soft;
      paint.fillRect(x, bottom - (lanes[lane].kind === 'client' ? 2 : 12), 1, lanes[lane].kind === 'client' ? 5 : 8);
    }
  }

  function drawTxn(txn) {
    const top = tops[txn.lane];
    if (top === undefined || txn.ended < view.from || txn.begun > view.to) return;
    const y = top + rowOf.get(txn) * ROW + 2, height = ROW - 6;
    const from = toX(txn.begun), width = Math.max(2, toX(txn.ended) - from);
    const dim = (filter && !touches(txn)) ? 0.18 : 1;
    paint.globalAlpha = dim * 0.55;
    paint.fillStyle = colours[txn.outcome];
    paint.fillRect(from, y, width, height);
    paint.globalAlpha = dim;
    const commit = txn.commit_called === null ? null : toX(txn.commit_called);
    if (commit !== null) paint.fillRect(commit, y, Math.max(2, from + width - commit), height);
    if (txn.durable !== null) {
      paint.fillStyle = colours.durable;
      paint.fillRect(toX(txn.durable) - 1, y - 2, 2, height + 4);
    }
    if (blamed.has(txn.id) || selected === txn) {
      paint.strokeStyle = selected === txn ? colours.ink : colours.blamed;
      paint.lineWidth = 2;
      paint.strokeRect(from - 1, y - 1, width + 2, height + 2);
      paint.lineWidth = 1;
    }
    if (width > 26) {
      if (scale() > 9) {
        for (const access of txn.accesses) {
          paint.fillStyle = colours.card;
          paint.beginPath(); paint.arc(toX(access.at), y + height - 3, 2, 0, 7); paint.fill();
        }
      }
      label(`T${txn.id}` + (txn.commit_version === null ? '' : ` v${version(txn.commit_version)}`), Math.max(from, gutter()) + 4, y + height / 2, colours.ink, from + width - Math.max(from, gutter()) - 6, colours.card);
    }
    paint.globalAlpha = 1;
  }

  function drawArrows() {
    const arrows = [];
    for (const txn of txns) {
      if (txn.ended < view.from || txn.begun > view.to || tops[txn.lane] === undefined) continue;
      if (filter && !touches(txn)) continue;
      for (const conflict of txn.conflicts) {
        const winner = conflict.winner === null ? undefined : byId.get(conflict.winner);
        if (winner && tops[winner.lane] !== undefined) arrows.push([txn, winner]);
      }
    }
    // Hundreds of arrows hide each other: then only those of the selection and of the failure are drawn.
    const all = arrows.length <= 150;
    for (const [txn, winner] of arrows) {
      if (!all && selected !== txn && selected !== winner && !blamed.has(txn.id)) continue;
      const y = (t) => tops[t.lane] + rowOf.get(t) * ROW + ROW / 2 - 1;
      const [x1, y1, x2, y2] = [toX(txn.ended), y(txn), toX(winner.ended), y(winner)];
      paint.strokeStyle = paint.fillStyle = colours.aborted;
      paint.lineWidth = selected === txn ? 2 : 1;
      paint.beginPath(); paint.moveTo(x1, y1); paint.lineTo(x2, y2); paint.stroke();
      const angle = Math.atan2(y2 - y1, x2 - x1);
      paint.beginPath(); paint.moveTo(x2, y2);
      paint.lineTo(x2 - 8 * Math.cos(angle - 0.4), y2 - 8 * Math.sin(angle - 0.4));
      paint.lineTo(x2 - 8 * Math.cos(angle + 0.4), y2 - 8 * Math.sin(angle + 0.4));
      paint.fill();
      paint.lineWidth = 1;
    }
  }

  function drawFaults(height) {
    for (const fault of faults) {
      const x = toX(fault.at);
      if (fault.at < view.from || fault.at > view.to) continue;
      const colour = fault.crash ? colours.crash : colours.fault;
      paint.globalAlpha = 0.5;
      vertical(x, colour, [3, 3], height);
      paint.globalAlpha = 1;
      paint.fillStyle = colour;
      paint.beginPath();
      if (fault.crash) paint.rect(x - 5, LIFE + FAULT / 2 - 5, 10, 10); else paint.arc(x, LIFE + FAULT / 2, 4.5, 0, 7);
      paint.fill();
      if (selected === fault) { paint.strokeStyle = colours.ink; paint.lineWidth = 2; paint.stroke(); paint.lineWidth = 1; }
    }
  }

  // Versions leap when the store is opened again: so they are drawn by rank, not by value.
  const ranks = new Map([...new Set(frontier.flatMap((point) => [point.published, point.durable]))].sort((a, b) => a - b).map((v, rank) => [v, rank]));
  function drawFrontier(top) {
    const most = Math.max(1, ranks.size - 1);
    const y = (v) => top + CHART - 6 - (ranks.get(v) / most) * (CHART - 14);
    for (const name of ['published', 'durable']) {
      paint.strokeStyle = colours[name];
      paint.lineWidth = name === 'durable' ? 3 : 1.5;
      paint.beginPath();
      let last = null;
      for (const point of frontier) {
        const x = toX(point.at);
        if (last === null) paint.moveTo(x, y(point[name])); else { paint.lineTo(x, y(last)); paint.lineTo(x, y(point[name])); }
        last = point[name];
      }
      if (last !== null) paint.lineTo(toX(end), y(last));
      paint.stroke();
    }
    paint.lineWidth = 1;
  }

  // ---- Moving about.
  const clamp = () => {
    const span = Math.min(Math.max(view.to - view.from, 4), end * 1.02 + 1);
    const from = Math.min(Math.max(view.from, 0), Math.max(0, end + span * 0.02 - span));
    view.from = from; view.to = from + span;
  };
  const zoom = (factor, around = (view.from + view.to) / 2) => {
    view.from = around - (around - view.from) * factor;
    view.to = around + (view.to - around) * factor;
    clamp(); redraw();
  };
  const pan = (part) => { const by = (view.to - view.from) * part; view.from += by; view.to += by; clamp(); redraw(); };
  const fit = () => { view.from = 0; view.to = end * 1.01 + 1; clamp(); redraw(); };
  const showTime = (time) => {
    if (time < view.from || time > view.to) {
      const half = (view.to - view.from) / 2;
      view.from = time - half; view.to = time + half; clamp();
    }
    redraw();
  };
  const focus = () => {
    const about = txns.filter((txn) => blamed.has(txn.id));
    if (!about.length) return fit();
    const from = Math.min(...about.map((t) => t.begun)), to = Math.max(...about.map((t) => t.durable ?? t.ended));
    const margin = Math.max(3, (to - from) * 0.15);
    view.from = from - margin; view.to = to + margin; clamp(); redraw();
  };

  // ---- The interleaving.
  const goTo = (step, follow = true) => {
    if (!stepCount) return;
    cursor = Math.min(Math.max(step, 0), stepCount - 1);
    $('scrub').value = cursor;
    $('where').textContent = `step ${figure(cursor + 1)} of ${figure(stepCount)}`;
    const around = narrow() ? 4 : 7;
    const first = Math.max(0, Math.min(cursor - around, stepCount - 2 * around - 1));
    const list = [];
    for (let i = first; i < Math.min(stepCount, first + 2 * around + 1); i++) {
      const row = el('li', { on: () => goTo(i) }, el('span', { text: figure(i + 1) }), el('span', { text: lanes[steps.lane[i]]?.name ?? '?' }), el('span', { text: steps.labels[steps.label[i]] }));
      if (i === cursor) row.setAttribute('aria-current', 'step');
      if (steps.preempted[i]) { row.className = 'preempted'; row.title = 'the scheduler switched, though the task before could have gone on'; }
      list.push(row);
    }
    $('steps').replaceChildren(...list);
    const time = steps.at[cursor];
    let point = null;
    for (const p of frontier) { if (p.at > time) break; point = p; }
    const open = txns.filter((txn) => txn.begun <= time && txn.ended > time);
    const life = lives.findLastIndex((l) => l.begun <= time);
    $('state').replaceChildren(
      `Time ${figure(time)}` + (life < 0 ? '' : `, life ${life}`) + (point ? `, published ${version(point.published)}, durable ${version(point.durable)}` : '') + (open.length ? '. Open: ' : '. No transaction is open.'),
      ...open.slice(0, 12).flatMap((txn) => [link(txn.id), ' ']), open.length > 12 ? `and ${open.length - 12} more` : '');
    if (follow) showTime(stepTime(cursor)); else redraw();
  };
  const nextSwitch = (direction) => {
    for (let i = cursor + direction; i >= 0 && i < stepCount; i += direction) if (steps.preempted[i]) return goTo(i);
    goTo(direction < 0 ? 0 : stepCount - 1);
  };

  // ---- Details.
  const link = (id) => (byId.has(id) ? el('button', { type: 'button', 'data-txn': id, text: `T${id}` }) : document.createTextNode(`T${id}`));
  const definitions = (pairs) => {
    const list = el('dl');
    for (const [name, value] of pairs) if (value !== null && value !== '') list.append(el('dt', { text: name }), value instanceof Node ? el('dd', {}, value) : el('dd', { text: value }));
    return list;
  };
  const select = (what, move = true) => {
    selected = what;
    const parts = [];
    if (what === null) {
      parts.push(el('p', { class: 'help', text: 'Select a transaction or a fault: in the timeline, in the list, or in the text above.' }));
    } else if ('accesses' in what) {
      parts.push(el('h3', { text: `T${what.id}, ${outcomeWords[what.outcome]}` }));
      parts.push(definitions([
        ['client', lanes[what.lane]?.name ?? '?'], ['life', String(what.life)], ['isolation', what.isolation],
        ['snapshot', version(what.start_version)], ['commit version', version(what.commit_version)],
        ['from – to', `${figure(what.begun)} – ${figure(what.ended)}`],
        ['commit called', what.commit_called === null ? null : figure(what.commit_called)],
        ['durable', what.durable === null ? 'never seen to be' : figure(what.durable)],
      ]));
      if (what.accesses.length) {
        const body = el('tbody');
        for (const a of what.accesses) {
          const from = el('td');
          if (a.from !== null) from.append(link(a.from));
          const key = el('button', { type: 'button', 'data-key': plain(a.key), text: a.key });
          const cells = { Time: figure(a.at), What: plain(a.kind), Key: key, Value: plain(a.value ?? (a.kind === 'read' ? 'absent' : '')), Version: version(a.version), Writer: a.from === null ? '' : link(a.from), Note: plain(a.note) };
          body.append(el('tr', {}, ...Object.entries(cells).map(([name, cell]) => el('td', cell === '' ? {} : { 'data-th': name, class: NUMBERS.has(name) ? 'n' : '' }, cell))));
        }
        const head = el('tr');
        for (const name of ['Time', 'What', 'Key', 'Value', 'Version', 'Writer', 'Note']) head.append(el('th', { text: name, class: NUMBERS.has(name) ? 'n' : '' }));
        parts.push(el('div', { class: 'scroll tall' }, el('table', { class: 'stack' }, el('thead', {}, head), body)));
      }
      for (const c of what.conflicts) parts.push(el('p', {}, conflictText(c), c.winner === null ? '' : link(c.winner)));
      if (move) showTime(what.begun);
    } else {
      parts.push(el('h3', { text: what.kind }), definitions([['time', figure(what.at)], ['what', what.detail], ['hit', what.lane === null ? null : lanes[what.lane]?.name ?? '?']]));
    }
    $('details').replaceChildren(...parts);
    list(); redraw();
  };
  const conflictText = (c) => plain(conflictWords(c)) + (c.winner === null ? '' : ', winner ');

  // ---- The list of transactions, a page at a time.
  const list = () => {
    const pages = Math.max(1, Math.ceil(matching.length / PER_PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const from = page * PER_PAGE;
    const rows = matching.slice(from, from + PER_PAGE).map((txn) => {
      const shown = txn.accesses.slice(0, 8).map(accessWords).join(', ') + (txn.accesses.length > 8 ? `, and ${txn.accesses.length - 8} more` : '');
      const ending = outcomeWords[txn.outcome] + (txn.conflicts.length ? ` (${txn.conflicts.map(conflictWords).join('; ')})` : '');
      const cells = { Transaction: link(txn.id), Client: laneName(txn.lane), Life: txn.life, Versions: `${version(txn.start_version)} → ${version(txn.commit_version)}`, Operations: plain(shown), End: plain(ending) };
      return el('tr', { class: selected === txn ? 'selected' : blamed.has(txn.id) ? 'blamed' : '' }, ...Object.entries(cells).map(([name, cell]) => el('td', { 'data-th': name }, cell)));
    });
    $('txns').tBodies[0].replaceChildren(...rows);
    $('page').textContent = matching.length ? `${figure(from + 1)} – ${figure(from + rows.length)} of ${figure(matching.length)}` + (filter ? ` that touch the key, ${figure(txns.length)} in all` : '') : filter ? 'No transaction touches such a key.' : 'No transactions.';
    $('page-back').disabled = page === 0;
    $('page-forward').disabled = page === pages - 1;
  };
  const setFilter = (text) => {
    filter = text;
    $('filter').value = text;
    matching = filter ? txns.filter(touches) : txns;
    page = 0;
    $('matches').textContent = filter ? `${figure(matching.length)} of ${figure(txns.length)} transactions` : '';
    list(); redraw();
  };

  // ---- What people do.
  const hit = (x, y) => {
    if (y > LIFE && y < LIFE + FAULT) {
      const near = faults.filter((fault) => Math.abs(toX(fault.at) - x) < 9).sort((a, b) => Math.abs(toX(a.at) - x) - Math.abs(toX(b.at) - x));
      return near[0] ?? null;
    }
    let best = null, distance = 7;
    for (const txn of txns) {
      const top = tops[txn.lane];
      if (top === undefined) continue;
      const row = top + rowOf.get(txn) * ROW;
      if (y < row || y > row + ROW) continue;
      const away = Math.max(toX(txn.begun) - x, x - toX(txn.ended), 0);
      if (away < distance) { best = txn; distance = away; }
    }
    return best;
  };
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.offsetX, from: view.from, to: view.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) { const what = hit(event.offsetX, event.offsetY); canvas.style.cursor = what ? 'pointer' : 'crosshair'; return; }
    const by = (drag.x - event.offsetX) / scale();
    if (Math.abs(drag.x - event.offsetX) > 4) drag.moved = true;
    if (drag.moved) { view.from = drag.from + by; view.to = drag.to + by; clamp(); redraw(); }
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  canvas.addEventListener('pointerup', (event) => {
    const moved = drag?.moved;
    drag = null;
    if (moved) return;
    const what = hit(event.offsetX, event.offsetY);
    select(what, false);
    goTo(firstStepAt(what ? what.begun ?? what.at : toTime(event.offsetX)), false);
  });
  canvas.addEventListener('wheel', (event) => {
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(Math.exp(event.deltaY * 0.004), toTime(event.offsetX)); }
    else if (event.deltaX || event.shiftKey) { event.preventDefault(); pan((event.deltaX || event.deltaY) / canvas.clientWidth); }
  }, { passive: false });
  const nextTxn = (direction) => {
    const shown = matching.length ? matching : txns;
    const at = shown.indexOf(selected);
    const next = shown[at < 0 ? 0 : (at + direction + shown.length) % shown.length];
    if (next) { page = Math.floor(matching.indexOf(next) / PER_PAGE); select(next); goTo(firstStepAt(next.begun)); }
  };
  canvas.addEventListener('keydown', (event) => {
    const act = { ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1), Enter: () => nextTxn(event.shiftKey ? -1 : 1), Home: () => goTo(0), End: () => goTo(stepCount - 1) }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') { setFilter(''); select(null); return; }
    if (event.target.matches('input[type=search]')) return;
    const act = { ',': () => goTo(cursor - 1), '.': () => goTo(cursor + 1), '<': () => nextSwitch(-1), '>': () => nextSwitch(1), '+': () => zoom(0.7), '=': () => zoom(0.7), '-': () => zoom(1.4), 0: fit, f: focus, '/': () => $('filter').focus() }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  document.addEventListener('click', (event) => {
    const about = event.target.closest?.('[data-txn], [data-time], [data-key]');
    if (!about) return;
    if (about.dataset.txn !== undefined) {
      const txn = byId.get(Number(about.dataset.txn));
      if (txn) { select(txn); goTo(firstStepAt(txn.begun), false); $('timeline-card').scrollIntoView({ block: 'nearest' }); }
    } else if (about.dataset.time !== undefined) {
      goTo(firstStepAt(Number(about.dataset.time)), false); showTime(Number(about.dataset.time)); $('timeline-card').scrollIntoView({ block: 'nearest' });
    } else {
      setFilter(about.dataset.key);
    }
  });
  const on = (id, act) => $(id).addEventListener('click', act);
  on('zoom-in', () => zoom(0.6)); on('zoom-out', () => zoom(1.6)); on('fit', fit); on('focus', focus);
  on('step-first', () => goTo(0)); on('step-back', () => goTo(cursor - 1)); on('step-forward', () => goTo(cursor + 1)); on('step-last', () => goTo(stepCount - 1));
  on('switch-back', () => nextSwitch(-1)); on('switch-forward', () => nextSwitch(1));
  on('page-back', () => { page--; list(); }); on('page-forward', () => { page++; list(); });
  $('copy')?.addEventListener('click', async () => {
    try { await navigator.clipboard.writeText($('reproduce').textContent); $('copy').textContent = 'Copied'; }
    catch { getSelection().selectAllChildren($('reproduce')); $('copy').textContent = 'Selected'; }
  });
  $('filter').addEventListener('input', () => setFilter($('filter').value));
  $('engine').addEventListener('change', redraw);
  $('scrub').addEventListener('input', () => goTo(Number($('scrub').value)));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); redraw(); });
  addEventListener('resize', redraw);

  // ---- Begin: at the failure, if there is one.
  $('scrub').max = Math.max(0, stepCount - 1);
  readColours();
  if (!stepCount) {
    $('state').textContent = 'No steps were recorded.';
    for (const id of ['step-first', 'step-back', 'step-forward', 'step-last', 'switch-back', 'switch-forward', 'scrub']) $(id).disabled = true;
  }
  $('focus').disabled = blamed.size === 0;
  fit();
  const about = txns.find((txn) => blamed.has(txn.id)) ?? null;
  select(about, false);
  goTo(about ? firstStepAt(about.begun) : 0, false);
  if (about) focus();
  draw();
  document.documentElement.dataset.ready = 'yes';
}
