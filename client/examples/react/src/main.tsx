import { createRoot } from 'react-dom/client';
import { App } from './app';
import { page, session } from './session';

const root = createRoot(document.getElementById('root') as HTMLElement);

session().then(
  (found) => root.render(<App session={found} />),
  () => root.render(<p role="alert">Nothing answers at {page}. Is `make run` up, and is that the page it printed?</p>),
);
