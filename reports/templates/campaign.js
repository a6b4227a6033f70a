'use strict';
{
  const copy = document.getElementById('copy');
  copy?.addEventListener('click', async () => {
    const text = document.getElementById('reproduce').textContent;
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(document.getElementById('reproduce'));
      copy.textContent = 'Selected';
    }
  });
  document.documentElement.dataset.ready = 'yes';
}
