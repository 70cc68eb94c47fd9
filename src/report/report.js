'use strict';
(() => {
  const bar = document.getElementById('filter-bar');
  const box = document.getElementById('filter');
  const said = document.getElementById('filter-said');
  const nothing = document.querySelector('.nothing');
  const text = (node) => node.textContent.toLowerCase();

  // What can be filtered, read once: a matrix is filtered by its cells, each with the names of its row and its column.
  let tables;
  const read = () => [...document.querySelectorAll('.scroll > table')].map((table) => {
    const heads = [...table.tHead.rows[0].cells];
    const matrix = table.classList.contains('matrix');
    const rows = [...table.tBodies].flatMap((body) => {
      const group = matrix ? text(body.rows[0]) : '';
      return [...body.rows].filter((row) => row.classList.contains('row')).map((row) => {
        if (!matrix) return { row, all: text(row) };
        const [name, ...cells] = row.cells;
        const about = group + ' ' + text(name) + ' ';
        const answers = cells.map((cell, at) => ({ cell, profile: heads[at + 1].dataset.profile,
          all: cell.hasChildNodes() ? about + text(heads[at + 1]) + ' ' + text(cell) : null }));
        return { row, answers: answers.filter((answer) => answer.all !== null) };
      });
    });
    return { table, rows };
  });

  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!tables && words.length === 0) return;
    tables = tables || read();
    const fits = (all) => words.every((word) => all.includes(word));
    const profiles = new Set();
    let probes = 0;
    let shown = 0;
    for (const { table, rows } of tables) {
      for (const { row, all, answers } of rows) {
        let hit = false;
        if (answers) {
          for (const answer of answers) {
            const fit = fits(answer.all);
            answer.cell.classList.toggle('dim', !fit);
            if (fit) profiles.add(answer.profile);
            hit = hit || fit;
            probes += 1;
            shown += fit ? 1 : 0;
          }
        } else {
          hit = fits(all);
        }
        row.hidden = !hit;
      }
      for (const body of table.tBodies) {
        body.hidden = ![...body.rows].some((row) => row.classList.contains('row') && !row.hidden);
      }
      table.parentNode.hidden = [...table.tBodies].every((body) => body.hidden);
    }
    for (const profile of document.querySelectorAll('.profile')) {
      profile.hidden = words.length > 0 && !profiles.has(profile.dataset.profile) && !fits(text(profile.querySelector('h3')));
    }
    nothing.hidden = shown > 0 || probes === 0;
    said.value = words.length > 0 ? shown + ' of ' + probes + ' probes' : '';
  };

  const fromAddress = () => {
    const hash = window.location.hash;
    if (hash.startsWith('#filter=')) {
      try {
        box.value = decodeURIComponent(hash.slice('#filter='.length));
      } catch {
        return;
      }
      apply();
    } else if (hash.length > 1) {
      // An anchor that the filter hides is shown again.
      const target = document.getElementById(hash.slice(1));
      const hidden = target && target.closest('[hidden]');
      if (hidden) {
        hidden.hidden = false;
        target.scrollIntoView();
      }
    }
  };

  let waiting = 0;
  box.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      apply();
      history.replaceState(null, '', box.value === '' ? '#' : '#filter=' + encodeURIComponent(box.value));
    }, 80);
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      box.focus();
    }
  });

  // Paper shows what is folded.
  let folded = [];
  window.addEventListener('beforeprint', () => {
    folded = [...document.querySelectorAll('details:not([open])')];
    folded.forEach((details) => { details.open = true; });
  });
  window.addEventListener('afterprint', () => folded.forEach((details) => { details.open = false; }));

  window.addEventListener('hashchange', fromAddress);
  bar.hidden = false;
  fromAddress();
})();
