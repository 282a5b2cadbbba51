// The list of a node's markets: its settings, as a market's own page has them.

import { applyTheme, drawSettings } from './settings.js';

const draw = () => drawSettings(draw);

applyTheme();
draw();
document.body.dataset.ready = 'markets';
