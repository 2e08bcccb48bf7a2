package SL::Certs;

# Certificates for the tests, made by the openssl command. What was made once in a run is not made again: files
# live in $SL_CERTS (t/check sets it for the whole run) or in a directory of this test.
#
#   my $certs = SL::Certs->new;
#   $certs->ca('ca')                    certificate of a CA: ca (RSA root), intermediate (below ca), ec-ca (ECDSA root),
#                                       client-ca, client-intermediate, other-ca (a stranger)
#   my $one = $certs->server('one.test', type => 'rsa');   $one->{cert} {key} {chain} {full} {both}
#   my $ann = $certs->client('ann');                       also {p12} (pass phrase "secret")
#   $certs->client('expired', end => '-1d')  $certs->client('revoked', revoked => 1)  issuer => 'other-ca'
#   $certs->crl('client-ca')            its CRL; crl => expired with end => '-1d'
#   $certs->hashed('dirname', $file...) a directory with hash links, for ...Path directives
#   $certs->encrypted_key($one->{key}, 'pass phrase')  $certs->der($one->{cert})
#
# Options of server and client:
#   type    rsa (2048, default), rsa1024, rsa3072, rsa-pss, ecdsa (P-256), p384, ed25519, ed448
#   names   subjectAltName entries ('a.test', '*.b.test', 'IP:127.0.0.1', 'email:...'); default: the name
#   issuer  default: ca for servers, client-ca for clients; 'self' makes a self-signed one
#   subject default '/C=DE/O=SL Test/CN=NAME'
#   start, end   '-1d', '+90d' from now; default -1d and +90d
#   extensions   more lines for the extension section
#   tag     tells apart two certificates that are the same otherwise
# {full} is leaf + intermediates in one file, {chain} the intermediates alone, {both} {full} + key.

use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Fcntl qw(:flock);
use File::Copy qw(copy);
use POSIX qw(strftime);
use SL::Command qw(run scratch_dir slurp spew);

my %cas = (
    'ca'                  => { type => 'rsa',   cn => 'SL Test CA' },
    'intermediate'        => { type => 'rsa',   cn => 'SL Test Intermediate', issuer => 'ca' },
    'ec-ca'               => { type => 'ecdsa', cn => 'SL Test ECDSA CA' },
    'client-ca'           => { type => 'rsa',   cn => 'SL Test Client CA' },
    'client-intermediate' => { type => 'rsa',   cn => 'SL Test Client Intermediate', issuer => 'client-ca' },
    'other-ca'            => { type => 'rsa',   cn => 'A Stranger CA' },
);

my %genpkey = (
    'rsa'     => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    'rsa1024' => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:1024)],
    'rsa3072' => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:3072)],
    'rsa-pss' => [qw(-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048)],
    'ecdsa'   => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    'p384'    => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)],
    'ed25519' => [qw(-algorithm ED25519)],
    'ed448'   => [qw(-algorithm ED448)],
);

my $own_dir;

sub new {
    my ($class) = @_;
    my $dir = $ENV{SL_CERTS} || ($own_dir ||= scratch_dir('sl-certs'));
    mkdir $dir, 0755;
    return bless { dir => $dir }, $class;
}

sub dir { return $_[0]{dir} }

sub openssl {
    my ($self, @args) = @_;
    my $r = run(['openssl', @args], cwd => $self->{dir}, timeout => 60, env => { LD_PRELOAD => undef });
    die "openssl @args: $r->{err}$r->{out}" if $r->{status};
    return $r->{out};
}

# Runs the code unless `file` is there; side by side with others of the same run.
sub once {
    my ($self, $file, $code) = @_;
    return if -e $file;
    open my $lock, '>', "$self->{dir}/.lock" or die "$self->{dir}: $!";
    if (!$self->{locked}) { flock $lock, LOCK_EX or die "flock: $!" }
    local $self->{locked} = 1;
    return if -e $file;
    $code->();
    die "$file was not made" unless -e $file;
}

sub when {
    my ($offset) = @_;
    return $offset if $offset =~ /^\d{12,14}Z$/;
    my %unit = (s => 1, m => 60, h => 3600, d => 86400);
    $offset =~ /^([+-]?\d+)([smhd])$/ or die "not a time: $offset";
    return strftime('%Y%m%d%H%M%SZ', gmtime(time + $1 * $unit{$2}));
}

sub new_key {
    my ($self, $file, $type) = @_;
    my $how = $genpkey{$type} or die "unknown key type $type";
    $self->openssl('genpkey', @$how, '-out', $file);
    chmod 0600, $file;
}

sub config {
    my ($self, $ca) = @_;
    my $dir = "$self->{dir}/$ca";
    return spew("$dir/openssl.cnf", <<"CONF");
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
prompt = no
[dn]
[ca]
default_ca = it
[it]
database = $dir/index.txt
new_certs_dir = $dir/issued
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $self->{dir}/$ca.crt
private_key = $self->{dir}/$ca.key
default_md = sha256
default_days = 90
default_crl_days = 30
unique_subject = no
email_in_dn = yes
policy = any
[any]
commonName = optional
CONF
}

sub ca {
    my ($self, $name) = @_;
    $name ||= 'ca';
    my $spec = $cas{$name} or die "no such CA: $name";
    my $cert = "$self->{dir}/$name.crt";
    $self->once(
        $cert,
        sub {
            my $dir = "$self->{dir}/$name";
            mkdir $dir,          0755;
            mkdir "$dir/issued", 0755;
            spew("$dir/index.txt", '');
            spew("$dir/serial",    sprintf("%02x%012x01\n", ord $name, length $name));
            spew("$dir/crlnumber", "01\n");
            my $config = $self->config($name);
            $self->new_key("$self->{dir}/$name.key", $spec->{type});
            my $issuer = $spec->{issuer} || $name;
            $self->sign($name, $issuer, "/C=DE/O=SL Test/CN=$spec->{cn}", $spec->{type}, when('-10d'), when('+3650d'),
                "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
                    . ($issuer eq $name ? '' : "authorityKeyIdentifier=keyid\n"),
                $issuer eq $name);
        }
    );
    return $cert;
}

# Makes STEM.crt for the key STEM.key.
sub sign {
    my ($self, $stem, $issuer, $subject, $type, $start, $end, $extensions, $selfsign) = @_;
    my $dir = $self->{dir};
    if (!$selfsign) { $self->ca($issuer) }
    my $home = $cas{$issuer} ? $issuer : $stem;
    spew("$dir/$stem.ext", $extensions);
    $self->openssl('req', '-new', '-utf8', '-config', "$dir/$home/openssl.cnf", '-key', "$dir/$stem.key", '-subj',
        $subject, '-out', "$dir/$stem.csr");
    my $key_type = $selfsign ? $type : $cas{$issuer}{type};
    $self->openssl(
        'ca', '-batch', '-notext', '-utf8', '-preserveDN', '-config', "$dir/$home/openssl.cnf",
        '-md', $key_type =~ /^ed/ ? 'default' : 'sha256',
        '-startdate', $start, '-enddate', $end, '-extfile', "$dir/$stem.ext",
        ($selfsign ? ('-selfsign', '-keyfile', "$dir/$stem.key") : ()),
        '-in', "$dir/$stem.csr", '-out', "$dir/$stem.new"
    );
    rename "$dir/$stem.new", "$dir/$stem.crt" or die "$stem: $!";
}

sub san {
    my (@names) = @_;
    return join ',', map { /^(?:DNS|IP|URI|email|otherName|dirName|RID):/ ? $_ : "DNS:$_" } @names;
}

sub leaf {
    my ($self, $kind, $name, %o) = @_;
    my $type   = $o{type}   || 'rsa';
    my $issuer = $o{issuer} || ($kind eq 'server' ? 'ca' : 'client-ca');
    my $names  = $o{names}  || ($kind eq 'server' ? [$name] : []);
    my $subject = defined $o{subject} ? $o{subject} : "/C=DE/O=SL Test/CN=$name";
    my $until = $o{end}   || '+90d';
    my $from  = $o{start} || ($until =~ /^-/ ? '-9d' : '-1d');
    my $extensions = $o{extensions} || '';
    my $tag = join '|', $kind, $name, $type, $issuer, @$names, $subject, $from, $until, $extensions, $o{tag} || '',
        $o{revoked} || '';
    utf8::encode($tag) if utf8::is_utf8($tag);
    (my $readable = $name) =~ s/[^A-Za-z0-9.-]/_/g;
    my $stem = "$kind-$readable-$type-" . substr(md5_hex($tag), 0, 8);
    my $path = "$self->{dir}/$stem";

    $self->once(
        "$path.pem",
        sub {
            my $self_signed = $issuer eq 'self';
            if ($self_signed) { $self->lone_signer($stem) }
            else              { $self->ca($issuer) }
            $self->new_key("$path.key", $type);
            my $usage = $kind eq 'server' ? 'serverAuth' : 'clientAuth';
            $self->sign($stem, $self_signed ? $stem : $issuer, $subject, $type, when($from), when($until),
                "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=$usage\nsubjectKeyIdentifier=hash\n"
                    . ($self_signed ? ''                                     : "authorityKeyIdentifier=keyid\n")
                    . (@$names      ? 'subjectAltName=' . san(@$names) . "\n" : '')
                    . $extensions, $self_signed);
            my $chain = '';
            for (my $up = $issuer; !$self_signed && $cas{$up}{issuer}; $up = $cas{$up}{issuer}) {
                $chain .= slurp("$self->{dir}/$up.crt");
            }
            my ($cert, $key) = (slurp("$path.crt"), slurp("$path.key"));
            spew("$path.chain", $chain);
            spew("$path.both", $cert . $chain . $key, 0600);
            if ($kind eq 'client') {
                $self->openssl('pkcs12', '-export', '-in', "$path.crt", '-inkey', "$path.key", '-certfile',
                    $chain ? "$path.chain" : "$path.crt", '-name', $name, '-passout', 'pass:secret', '-out', "$path.p12");
                chmod 0644, "$path.p12";
            }
            $self->openssl('ca', '-batch', '-config', "$self->{dir}/$issuer/openssl.cnf", '-revoke', "$path.crt")
                if $o{revoked};
            spew("$path.pem", $cert . $chain);
        }
    );
    return {
        name  => $name,
        cert  => "$path.crt",
        key   => "$path.key",
        chain => "$path.chain",
        full  => "$path.pem",
        both  => "$path.both",
        p12   => $kind eq 'client' ? "$path.p12" : undef,
    };
}

sub lone_signer {
    my ($self, $stem) = @_;
    my $dir = "$self->{dir}/$stem";
    mkdir $dir,          0755;
    mkdir "$dir/issued", 0755;
    spew("$dir/index.txt", '');
    spew("$dir/serial",    "5e1f000000000001\n");
    $self->config($stem);
}

sub server { my ($self, $name, %o) = @_; return $self->leaf('server', $name, %o) }
sub client { my ($self, $name, %o) = @_; return $self->leaf('client', $name, %o) }

# A CRL of the CA as it stands now: make the revoked certificates first.
sub crl {
    my ($self, $name, %o) = @_;
    $self->ca($name);
    my $until = $o{end}   || '+30d';
    my $from  = $o{start} || ($until =~ /^-/ ? '-9d' : '-1d');
    my $count = () = slurp("$self->{dir}/$name/index.txt") =~ /^R/mg;
    my $file  = "$self->{dir}/$name-crl-$count-" . substr(md5_hex("$from|$until"), 0, 6) . '.pem';
    $self->once(
        $file,
        sub {
            $self->openssl('ca', '-gencrl', '-config', "$self->{dir}/$name/openssl.cnf", '-crl_lastupdate', when($from),
                '-crl_nextupdate', when($until), '-out', "$file.new");
            rename "$file.new", $file or die "$file: $!";
        }
    );
    return $file;
}

# A hashed directory as SSLCACertificatePath and SSLCARevocationPath want it.
sub hashed {
    my ($self, $name, @files) = @_;
    my $tag = substr(md5_hex("@files"), 0, 8);
    my $dir = "$self->{dir}/$name-$tag.d";
    $self->once(
        "$dir/.made",
        sub {
            mkdir $dir, 0755;
            my $n = 0;
            for my $file (@files) {
                my $is_crl = slurp($file) =~ /BEGIN X509 CRL/;
                my $hash   = $self->openssl($is_crl ? 'crl' : 'x509', '-noout', '-hash', '-in', $file);
                $hash =~ s/\s+//g;
                my $i = 0;
                $i++ while -e "$dir/$hash." . ($is_crl ? 'r' : '') . $i;
                copy($file, "$dir/$hash." . ($is_crl ? 'r' : '') . $i) or die "$file: $!";
            }
            spew("$dir/.made", '');
        }
    );
    return $dir;
}

sub encrypted_key {
    my ($self, $key, $phrase) = @_;
    my $file = "$key-" . substr(md5_hex($phrase), 0, 6) . '.enc';
    $self->once(
        $file,
        sub {
            $self->openssl('pkey', '-in', $key, '-aes256', '-passout', "pass:$phrase", '-out', "$file.new");
            chmod 0600, "$file.new";
            rename "$file.new", $file or die "$file: $!";
        }
    );
    return $file;
}

sub der {
    my ($self, $pem) = @_;
    my $file = "$pem.der";
    my $kind = slurp($pem) =~ /PRIVATE KEY/ ? 'pkey' : 'x509';
    $self->once(
        $file,
        sub {
            $self->openssl($kind, '-in', $pem, '-outform', 'DER', '-out', "$file.new");
            rename "$file.new", $file or die "$file: $!";
        }
    );
    return $file;
}

1;
