// Asks the page about itself and leaves the answers in the title of the document. Put in by tests/browser.rs.
(() => {
  'use strict';
  const answers = { scheme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', errors: [] };
  window.addEventListener('error', (event) => answers.errors.push(event.message));
  const visible = (node) => node.offsetParent !== null;
  const rows = () => [...document.querySelectorAll('tr.row')].filter(visible);
  const box = document.getElementById('filter');
  const filter = (words) => new Promise((done) => {
    box.value = words;
    box.dispatchEvent(new Event('input'));
    setTimeout(done, 200);
  });

  // Contrast as WCAG 2 has it, of every text that can be seen, against the background that it stands on.
  const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((c) => {
      const part = c / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const alpha = channels(colour)[3];
      if (alpha === undefined || alpha > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const contrast = () => {
    let worst = { ratio: 99, text: '' };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || !visible(node) || node.closest('script, .skip')) continue;
      const [a, b] = [light(getComputedStyle(node).color), light(behind(node))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < worst.ratio) worst = { ratio, text: walk.currentNode.data.trim(), class: node.className };
    }
    return worst;
  };

  // What can be reached with the keyboard and has no name.
  const nameless = () => [...document.querySelectorAll('a[href], input, summary, [tabindex]')].filter((node) =>
    !(node.textContent.trim() || node.getAttribute('aria-label') || (node.labels && node.labels.length > 0))).length;
  const headless = () => [...document.querySelectorAll('table')].filter((table) =>
    !table.tHead || [...table.querySelectorAll('th')].some((head) => !head.hasAttribute('scope'))).length;

  const ask = async () => {
    answers.background = getComputedStyle(document.body).backgroundColor;
    answers.contrast = contrast();
    answers.nameless = nameless();
    answers.headless = headless();
    answers.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    answers.rows = rows().length;
    await filter('repaired deny');
    answers.repaired = {
      said: document.getElementById('filter-said').value,
      hash: window.location.hash,
      rows: rows().length,
      strangers: rows().filter((row) => !row.closest('.matrix') && !row.textContent.includes('repaired')).length,
      profiles: [...document.querySelectorAll('.profile')].filter(visible).map((node) => node.querySelector('h3').textContent),
    };
    await filter('no such word');
    answers.nothing = { rows: rows().length, told: visible(document.querySelector('.nothing')) };
    window.location.hash = '#p0-l3';
    await new Promise((done) => setTimeout(done, 50));
    answers.target = visible(document.getElementById('p0-l3'));
    await filter('');
    answers.cleared = rows().length;
    document.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }));
    answers.slash = document.activeElement === box;
    document.title = 'ANSWERS' + JSON.stringify(answers);
  };
  ask().catch((error) => { document.title = 'ANSWERS' + JSON.stringify({ failed: String(error) }); });
})();
