import { cards } from './cards';
import { runs } from './runs';

export default [cards, runs];
