Pod::Spec.new do |s|
  s.name = 'VivavoceAudio'
  s.version = '0.1.0'
  s.summary = 'A phone\'s audio for vivavoce/react-native'
  s.license = 'Apache-2.0'
  s.author = 'Vivavoce'
  s.homepage = 'https://docs.expo.dev/modules/'
  s.platforms = { :ios => '15.1' }
  s.swift_version = '5.9'
  s.source = { git: '' }
  s.static_framework = true
  s.dependency 'ExpoModulesCore'
  s.source_files = '*.swift'
end
