{
  # nix run "git+file:.?dir=packaging"
  description = "Two-way contact sync between Linq and a CSV file or vCards";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).package;
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = manifest.name;
          version = manifest.version;
          src = ../.;
          cargoLock.lockFile = ../Cargo.lock;
          buildType = "dist";
          # The tests play the whole program against servers on loopback, for minutes.
          doCheck = false;
          nativeBuildInputs = [
            pkgs.cmake
            pkgs.installShellFiles
          ];
          postInstall = ''
            $out/bin/linqsync man > linqsync.1
            installManPage linqsync.1
            for shell in bash zsh fish; do
              $out/bin/linqsync completions $shell > linqsync.$shell
              installShellCompletion --$shell linqsync.$shell
            done
          '';
          meta = {
            description = manifest.description;
            license = with pkgs.lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "linqsync";
            platforms = systems;
          };
        };
      });
    };
}
