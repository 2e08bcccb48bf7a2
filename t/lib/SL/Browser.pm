package SL::Browser;

# Chromium for the tests: Debian's browser, driven by t/browser/visit.js through playwright-core, which npm brings to
# build/browser the first time.
#
#   my $browser = SL::Browser->new(trust => [$certs->ca('ca')], resolve => {'one.test' => '127.0.0.1'});
#   my ($page, $again) = $browser->visit({do => 'goto', url => ...}, {do => 'reload'});
#
# Steps: goto (url), reload, fresh (a profile without connections, sessions or cache), upload (url of a page with a form,
# file), download (url of a page with a link, to), script (code, run in the page), look (width, height, dark), picture (to, window),
# search (field, text). The answer to a step has {error}
# (ERR_... of Chromium's network) or
#   goto, reload, upload, search   {status}, {body}, {url}, {protocol} (h2, http/1.1), {connection} (its number), {reused},
#                          {state} (secure), {tls} (protocol, keyExchangeGroup, cipher, issuer, subjectName, sanList, ...)
#   download               {failure}, {name}
#   script                 {value}
#
# trust are CA certificates, certificates PKCS#12 files (pass phrase "secret"): both go to an NSS database in a HOME that the
# browser has to itself.
#
#   my $policy = SL::Browser::policy(AutoSelectCertificateForUrls => [...]);    settings of the machine's administrator, as
#                                                                               long as $policy lives; as root only

use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use JSON::PP ();
use SL::Command qw(run scratch_dir slow slurp spew find_program);

my $top  = abs_path(dirname(__FILE__) . '/../../..');
my $home = "$top/build/browser";

sub program { return find_program('chromium') || die "chromium is not there: install the package chromium\n" }

# Brings playwright-core as t/browser/package-lock.json names it. Dies with npm's words if that fails.
sub prepare {
    return if -e "$home/.ready" && slurp("$home/.ready") eq slurp("$top/t/browser/package-lock.json");
    mkdir "$top/build";
    mkdir $home;
    open my $lock, '>', "$home/.lock" or die "$home/.lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";
    return if -e "$home/.ready" && slurp("$home/.ready") eq slurp("$top/t/browser/package-lock.json");
    copy("$top/t/browser/$_", "$home/$_") or die "$home/$_: $!\n" for qw(package.json package-lock.json);
    my $r = run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', "$home/.npm"], cwd => $home, timeout => 300);
    die "npm can't install playwright-core: $r->{err}$r->{out}\n" if $r->{status};
    spew("$home/.ready", slurp("$home/package-lock.json"));
    return;
}

sub new {
    my ($class, %o) = @_;
    prepare();
    my $self = bless { home => scratch_dir('sl-browser'), resolve => {}, args => [], %o }, $class;
    my $database = "$self->{home}/.pki/nssdb";
    mkdir "$self->{home}/$_", 0700 for '.pki', '.pki/nssdb', 'tmp';
    $self->nss('certutil', '-N', '--empty-password');
    my $n = 0;
    $self->nss('certutil', '-A', '-t', 'C,,', '-n', 'trusted ' . ++$n, '-i', $_) for @{ $o{trust} || [] };
    $self->nss('pk12util', '-i', $_, '-W', 'secret') for @{ $o{certificates} || [] };
    return $self;
}

sub nss {
    my ($self, $program, @args) = @_;
    my $path = find_program($program) or die "$program is not there: install the package libnss3-tools\n";
    my $r = run([$path, '-d', "sql:$self->{home}/.pki/nssdb", @args]);
    die "$program @args: $r->{err}$r->{out}" if $r->{status};
    return;
}

# Walks the steps in one browser process, returns an answer for each.
sub visit {
    my ($self, @steps) = @_;
    my %to = %{ $self->{resolve} };
    my $input = {
        executable => program(),
        timeout    => 20000 * slow(),
        steps      => \@steps,
        args       => [
            qw(--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
                --disable-sync --no-proxy-server),
            '--host-resolver-rules=' . join(', ', (map {"MAP $_ $to{$_}"} sort keys %to), 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'),
            @{ $self->{args} }
        ],
    };
    my $r = run(['node', "$top/t/browser/visit.js"], stdin => JSON::PP->new->utf8->encode($input), timeout => 50,
        env => { HOME => $self->{home}, TMPDIR => "$self->{home}/tmp", NODE_PATH => "$home/node_modules", XDG_CONFIG_HOME => undef,
            XDG_CACHE_HOME => undef, SSLKEYLOGFILE => undef });
    my $answer = eval { JSON::PP->new->utf8->decode($r->{out}) } or die "the browser failed: $r->{err}$r->{out}\n";
    $self->{version} = $answer->{version};
    return @{ $answer->{results} };
}

sub version { return $_[0]{version} }

# Chromium reads policies from one place alone. Tests take turns there.
my $managed = '/etc/chromium/policies/managed';

sub policy {
    my (%settings) = @_;
    open my $lock, '>', '/tmp/sl-chromium-policy.lock' or die "/tmp/sl-chromium-policy.lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";
    my @made = grep { !-e && mkdir $_, 0755 } '/etc/chromium', '/etc/chromium/policies', $managed;
    spew("$managed/securelayer-test.json", JSON::PP->new->utf8->encode(\%settings));
    return bless { made => \@made, lock => $lock, owner => $$ }, 'SL::Browser::Policy';
}

sub SL::Browser::Policy::DESTROY {
    my ($self) = @_;
    return unless $$ == $self->{owner};
    local $!;
    unlink "$managed/securelayer-test.json";
    rmdir $_ for reverse @{ $self->{made} };
    return;
}

1;
