import { cards } from './cards';
import { runs } from './runs';
import { train } from './train';

export default [cards, runs, train];
