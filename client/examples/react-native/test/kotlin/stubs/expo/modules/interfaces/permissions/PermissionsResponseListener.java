package expo.modules.interfaces.permissions;

@FunctionalInterface
public interface PermissionsResponseListener {
  void onResult(java.util.Map<String, PermissionsResponse> result);
}
