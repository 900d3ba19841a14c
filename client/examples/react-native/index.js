import { useEffect, useState } from 'react';
import { AppRegistry, Text } from 'react-native';
import { App } from './App';
import { PAGE, session } from './session';

function Root() {
  const [found, setFound] = useState(null);
  useEffect(() => {
    session().then(setFound, () => {});
  }, []);
  return found ? <App session={found} /> : <Text>Waiting for {PAGE}. Is `make run` up, and is that the page it printed?</Text>;
}

AppRegistry.registerComponent('main', () => Root);
