package expo.modules.interfaces.permissions;

public interface Permissions {
  void askForPermissions(PermissionsResponseListener response, String... permissions);
}
